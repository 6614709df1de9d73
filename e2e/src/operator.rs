//! The operator outside the cluster, where it can be killed at will: a container that is killed again and again is made to
//! wait by its kubelet.

use std::env;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use kilonova_probe::wait_within;
use tempfile::TempDir;

use crate::Cluster;
use crate::cluster::kubectl;
use crate::namespace::PATIENCE;

/// The one in the cluster, which rests until this is dropped.
pub struct Rest(());

impl Rest {
    /// Lets it rest.
    pub fn of_the_one_in(cluster: &Cluster) -> Self {
        scale(0);
        wait_within(PATIENCE, "the operator to go", || {
            cluster.operators().is_empty().then_some(())
        });
        Self(())
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        scale(1);
    }
}

fn scale(replicas: u32) {
    let replicas = format!("--replicas={replicas}");
    let deployment = ["-n", "kilonova-system", "scale", "deployment/kilonova"];
    let scaled = kubectl(&[&deployment[..], &[&replicas]].concat());
    assert!(scaled.status.success(), "{scaled:?}");
}

/// A process of the operator, as administrator; killed when it is dropped.
pub struct Operator {
    process: Child,
    directory: TempDir,
}

impl Operator {
    /// Starts one that gives this image to those that ask for none.
    pub fn start(image: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = File::create(directory.path().join("log")).unwrap();
        // Should this test be killed, the kernel ends it.
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(program())
            .args(["run", "--server-image", image])
            .args(["--metrics-port", &free_port().to_string()])
            .stdout(Stdio::from(log.try_clone().unwrap()))
            .stderr(Stdio::from(log))
            .spawn()
            .unwrap();
        Self { process, directory }
    }

    /// What it has said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        if std::thread::panicking() {
            let log = self.log();
            let last = log.lines().rev().take(20).collect::<Vec<_>>();
            eprintln!(
                "--- the operator's last words, newest first\n{}",
                last.join("\n")
            );
        }
    }
}

/// The image of the servers, and another one of the same programs.
pub fn images() -> [String; 2] {
    let image = env::var("IMAGE").expect("e2e/in-cluster names the images");
    let (prefix, tag) = image.rsplit_once(':').unwrap();
    ["", "-again"].map(|suffix| format!("{prefix}/server:{tag}{suffix}"))
}

fn program() -> impl AsRef<std::ffi::OsStr> {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/image/operator/usr/bin/kilonova-operator")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    listener.local_addr().unwrap().port()
}
