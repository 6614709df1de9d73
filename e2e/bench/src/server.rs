//! The servers that are measured: each is a process of its own, pinned to the first CPU, and gone when it is dropped.

use std::fs::{self, File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use kilonova_config::status::{PodStatus, WorkerState};
use kilonova_probe::client::try_get;
use kilonova_probe::{Authority, Issued};
use rustix::process::{Pid, Signal, kill_process};
use rustls::ClientConfig;
use rustls::client::Resumption;
use tempfile::TempDir;

use crate::load::{Client, Target};
use crate::process;

/// How long a server may take to start or to stop; nova takes seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked for meanwhile.
const LOOK: Duration = Duration::from_micros(200);

/// A certificate that all servers show, and clients that trust it.
#[derive(Debug)]
pub struct Identity {
    directory: TempDir,
    client: Arc<ClientConfig>,
}

impl Identity {
    /// A new one, of an authority of its own.
    pub fn new() -> anyhow::Result<Self> {
        let authority = Authority::new();
        let issued = Issued::valid(&authority);
        let directory = tempfile::tempdir()?;
        fs::write(directory.path().join("tls.crt"), &issued.certificate)?;
        fs::write(directory.path().join("tls.key"), &issued.key)?;
        let mut client = authority.client(None);
        // Every handshake is a whole one.
        client.resumption = Resumption::disabled();
        Ok(Self {
            directory,
            client: Arc::new(client),
        })
    }
}

/// Where a server may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cpus {
    /// On the first: the client has the other.
    First,
    /// Anywhere.
    All,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    process: Child,
    directory: TempDir,
    target: Target,
    /// From exec to the first answer.
    pub first_answer: Duration,
}

impl Server {
    /// Ours, with its defaults: request ids, metrics, and the access log into a file.
    pub fn kilonova(
        program: &Path,
        workers: usize,
        tls: Option<&Identity>,
        cpus: Cpus,
    ) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let (address, admin) = (free_address()?, free_address()?);
        let certificate = tls.map_or(String::new(), |identity| {
            let path = identity.directory.path().display();
            format!(", tls: {{certificateDirectory: {path}}}")
        });
        let config = directory.path().join("kilonova.yaml");
        let (port, admin_port) = (address.port(), admin.port());
        fs::write(
            &config,
            format!(
                "apis: [{{name: osapi_compute, listen: 127.0.0.1, port: {port}, workers: {workers}{certificate}}}]\n\
                 admin: {{loopback: true, port: {admin_port}}}\n\
                 drainDelaySeconds: 0\n"
            ),
        )?;
        let mut command = on(cpus, program);
        command.args(["serve".as_ref(), "--config".as_ref(), config.as_os_str()]);
        let mut server = Self::start(command, directory, target(address, tls))?;
        server.wait(|| ready_workers(admin) == Some(workers))?;
        Ok(server)
    }

    /// A bare hyper server that gives the answer in a file.
    pub fn bare(answer: &Path, tls: Option<&Identity>) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = on(Cpus::First, &std::env::current_exe()?);
        command.args(["bare", &address.to_string()]).arg(answer);
        if let Some(identity) = tls {
            command.arg("--tls").arg(identity.directory.path());
        }
        Self::start(command, tempfile::tempdir()?, target(address, tls))
    }

    /// The real nova, by the script that serves it.
    pub fn nova(serve: &Path, workers: usize, cpus: Cpus) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = on(cpus, serve);
        command.args([workers.to_string(), address.port().to_string()]);
        Self::start(command, tempfile::tempdir()?, target(address, None))
    }

    fn start(mut command: Command, directory: TempDir, target: Target) -> anyhow::Result<Self> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log_of(&directory))?;
        command.stdout(Stdio::from(log.try_clone()?));
        command.stderr(Stdio::from(log));
        let began = Instant::now();
        let process = command.spawn().context("cannot start a server")?;
        let mut server = Self {
            process,
            directory,
            target,
            first_answer: Duration::ZERO,
        };
        let target = server.target.clone();
        server.wait(|| Client::open(&target, 1).is_ok())?;
        server.first_answer = began.elapsed();
        Ok(server)
    }

    fn wait(&mut self, mut check: impl FnMut() -> bool) -> anyhow::Result<()> {
        let began = Instant::now();
        while !check() {
            if began.elapsed() > PATIENCE || self.process.try_wait()?.is_some() {
                let log = fs::read_to_string(log_of(&self.directory)).unwrap_or_default();
                bail!("a server ended, or did not start within {PATIENCE:?}:\n{log}");
            }
            park_timeout(LOOK);
        }
        Ok(())
    }

    /// Its process; what it started goes with it.
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// How to ask it, on kept connections or on a new one each time.
    pub fn target(&self, kept: bool) -> Target {
        Target {
            kept,
            ..self.target.clone()
        }
    }

    /// Forgets the log there is: minutes of an access log would fill a small disk.
    pub fn empty_log(&self) -> anyhow::Result<()> {
        Ok(File::create(log_of(&self.directory)).map(drop)?)
    }
}

impl Drop for Server {
    /// Asks it to stop; whatever is left of it after a while is ended one by one.
    fn drop(&mut self) {
        let family = process::family(self.process.id()).unwrap_or_default();
        signal(self.process.id(), Signal::TERM);
        let began = Instant::now();
        while matches!(self.process.try_wait(), Ok(None)) {
            if began.elapsed() > PATIENCE {
                for member in family {
                    signal(member, Signal::KILL);
                }
                let _ = self.process.wait();
                return;
            }
            park_timeout(Duration::from_millis(5));
        }
    }
}

/// A command on its CPUs; should the measuring be killed, the kernel ends what it started.
fn on(cpus: Cpus, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    // Said of either: what a child may run on is otherwise what its parent may.
    let list = match cpus {
        Cpus::First => "0",
        Cpus::All => "0-1",
    };
    command.args(["taskset", "--cpu-list", list]).arg(program);
    command
}

fn target(address: SocketAddr, tls: Option<&Identity>) -> Target {
    Target {
        address,
        tls: tls.map(|identity| Arc::clone(&identity.client)),
        kept: true,
    }
}

fn ready_workers(admin: SocketAddr) -> Option<usize> {
    let status: PodStatus = serde_json::from_slice(&try_get(admin, "/status").ok()?.body).ok()?;
    let workers = status.apis.into_iter().next()?.workers.into_iter();
    Some(
        workers
            .filter(|worker| worker.state == WorkerState::Ready)
            .count(),
    )
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn log_of(directory: &TempDir) -> PathBuf {
    directory.path().join("log")
}

fn signal(process: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(process).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}
