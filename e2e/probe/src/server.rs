//! A started server, its files and its log.

use std::env;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;

use kilonova_config::status::{ApiStatus, PodStatus};
use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use tempfile::TempDir;

use crate::{Issued, client, wait_for};

/// A running server; killed with its workers when it is dropped.
pub struct Server {
    process: Child,
    directory: TempDir,
    admin: OnceLock<SocketAddr>,
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
            .args(["--pdeathsig", "KILL"])
            .arg(program())
            .args(["serve", "--config"])
            .arg(&config)
            .stdout(Stdio::from(log.try_clone().unwrap()))
            .stderr(Stdio::from(log))
            // The kernel wakes stopped workers when whoever leads their group leaves: that must not be the test's shell.
            .process_group(0)
            .spawn()
            .unwrap();
        Self {
            process,
            directory,
            admin: OnceLock::new(),
        }
    }

    /// Waits until every API has had a ready worker.
    pub fn wait_started(&self) {
        wait_for("the server to start", || {
            let admin = self.admin_if_known()?;
            (client::try_get(admin, "/startupz").ok()?.status == 200).then_some(())
        });
    }

    /// Its own directory.
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

    /// Process id of the supervisor.
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// All it has written so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path().join("log")).unwrap()
    }

    /// Waits for a text in the log.
    pub fn wait_log(&self, text: &str) {
        wait_for(&format!("'{text}' in the log"), || {
            self.log().contains(text).then_some(())
        });
    }

    fn admin_if_known(&self) -> Option<SocketAddr> {
        if let Some(known) = self.admin.get() {
            return Some(*known);
        }
        let log = self.log();
        let line = log
            .lines()
            .find(|line| line.contains("admin listening on "))?;
        let found = line.rsplit(' ').next()?.parse().ok()?;
        Some(*self.admin.get_or_init(|| found))
    }

    /// The admin port.
    pub fn admin(&self) -> SocketAddr {
        self.admin_if_known()
            .expect("the admin port stands in the log")
    }

    /// What `/status` answers.
    pub fn status(&self) -> PodStatus {
        let answer = client::get(self.admin(), "/status");
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// The first API.
    pub fn api(&self) -> ApiStatus {
        self.status().apis.into_iter().next().unwrap()
    }

    /// Where the first API listens.
    pub fn address(&self) -> SocketAddr {
        let address = self.api().address;
        address.rsplit('/').next().unwrap().parse().unwrap()
    }

    /// Process ids of the first API's workers that are ready, oldest first.
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

    /// Waits until so many workers of the first API are ready.
    pub fn wait_workers(&self, count: usize) -> Vec<u32> {
        wait_for(&format!("{count} workers"), || {
            let ready = self.ready_workers();
            (ready.len() == count).then_some(ready)
        })
    }

    /// Sends the supervisor a signal.
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

    /// Waits for its end.
    pub fn wait_exit(&mut self) -> ExitStatus {
        let process = &mut self.process;
        wait_for("the server to exit", || process.try_wait().unwrap())
    }

    /// Value of the first line of `/metrics` that begins so.
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

/// Sends a process a signal, if it has not ended since somebody saw it.
pub fn signal_process(process: u32, signal: Signal) {
    match kill_process(pid(process), signal) {
        Err(Errno::SRCH) => {}
        sent => sent.unwrap(),
    }
}

/// The program cargo built for the tests that run, which lie in a folder beside it.
fn program() -> PathBuf {
    let test = env::current_exe().unwrap();
    test.parent().unwrap().with_file_name("kilonova-server")
}

fn pid(process: u32) -> Pid {
    Pid::from_raw(i32::try_from(process).unwrap()).unwrap()
}

/// Runs the program to its end.
pub fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(program()).args(arguments).output().unwrap();
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

/// Writes a file, and the folders it lies in.
pub fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}
