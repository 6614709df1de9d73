//! A started server, its files and its log.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use kilonova_config::status::{ApiStatus, PodStatus};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use tempfile::TempDir;

use kilonova_probe::{Issued, client, wait_for};

pub struct Server {
    process: Child,
    directory: TempDir,
}

impl Server {
    /// Starts a server and waits until it is started; `{dir}` in the configuration is its own directory.
    pub fn start(configuration: &str) -> Self {
        let server = Self::start_in(tempfile::tempdir().unwrap(), configuration);
        server.wait_started();
        server
    }

    /// Starts a server with files that are there already.
    pub fn start_in(directory: TempDir, configuration: &str) -> Self {
        let config = directory.path().join("kilonova.yaml");
        let at = directory.path().display().to_string();
        fs::write(&config, configuration.replace("{dir}", &at)).unwrap();
        let log = File::create(directory.path().join("log")).unwrap();
        // Should this test be killed, the kernel ends the server, and the server's end ends its workers.
        let process = Command::new("setpriv")
            .args([
                "--pdeathsig",
                "KILL",
                env!("CARGO_BIN_EXE_kilonova-server"),
                "serve",
                "--config",
            ])
            .arg(&config)
            .stdout(Stdio::from(log.try_clone().unwrap()))
            .stderr(Stdio::from(log))
            .spawn()
            .unwrap();
        Self { process, directory }
    }

    pub fn wait_started(&self) {
        wait_for("the server to start", || {
            let admin = self.admin_if_known()?;
            (client::try_get(admin, "/startupz").ok()?.status == 200).then_some(())
        });
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Replaces the configuration as an editor would.
    pub fn configure(&self, configuration: &str) {
        let at = self.path().display().to_string();
        let next = self.path().join("next.yaml");
        fs::write(&next, configuration.replace("{dir}", &at)).unwrap();
        fs::rename(next, self.path().join("kilonova.yaml")).unwrap();
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path().join("log")).unwrap()
    }

    pub fn wait_log(&self, text: &str) {
        wait_for(&format!("'{text}' in the log"), || {
            self.log().contains(text).then_some(())
        });
    }

    fn admin_if_known(&self) -> Option<SocketAddr> {
        let log = self.log();
        let line = log
            .lines()
            .find(|line| line.contains("admin listening on "))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    pub fn admin(&self) -> SocketAddr {
        self.admin_if_known()
            .expect("the admin port stands in the log")
    }

    pub fn status(&self) -> PodStatus {
        let answer = client::get(self.admin(), "/status");
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// The first API.
    pub fn api(&self) -> ApiStatus {
        self.status().apis.into_iter().next().unwrap()
    }

    pub fn address(&self) -> SocketAddr {
        let address = self.api().address;
        address.rsplit('/').next().unwrap().parse().unwrap()
    }

    /// Process ids of the first API's workers that are ready.
    pub fn ready_workers(&self) -> Vec<u32> {
        let ready = |worker: &&kilonova_config::status::WorkerStatus| {
            worker.state == kilonova_config::status::WorkerState::Ready
        };
        self.api()
            .workers
            .iter()
            .filter(ready)
            .map(|worker| worker.pid)
            .collect()
    }

    pub fn signal(&self, signal: Signal) {
        signal_process(self.process.id(), signal);
    }

    /// How many descriptors the supervisor has.
    pub fn descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.process.id());
        fs::read_dir(folder).unwrap().count()
    }

    /// Limits how many descriptors the supervisor may have; returns the limit before.
    pub fn limit_descriptors(&self, most: Option<u64>) -> Option<u64> {
        let process = pid(self.process.id());
        let now = Rlimit {
            current: most,
            maximum: getrlimit(Resource::Nofile).maximum,
        };
        prlimit(Some(process), Resource::Nofile, now)
            .unwrap()
            .current
    }

    pub fn wait_exit(&mut self) -> ExitStatus {
        let process = &mut self.process;
        wait_for("the server to exit", || process.try_wait().unwrap())
    }

    pub fn metric(&self, line: &str) -> Option<f64> {
        let answer = client::get(self.admin(), "/metrics");
        let text = String::from_utf8(answer.body).unwrap();
        let line = text.lines().find_map(|found| found.strip_prefix(line))?;
        line.trim().parse().ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the server\n{}", self.log());
        }
    }
}

pub fn signal_process(process: u32, signal: Signal) {
    kill_process(pid(process), signal).unwrap();
}

fn pid(process: u32) -> Pid {
    Pid::from_raw(i32::try_from(process).unwrap()).unwrap()
}

/// Runs the program to its end.
pub fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_kilonova-server"))
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Writes a pair where the server looks for it.
pub fn write_pair(directory: &Path, issued: &Issued) {
    write(directory, "tls/tls.crt", &issued.certificate);
    write(directory, "tls/tls.key", &issued.key);
}

pub fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}
