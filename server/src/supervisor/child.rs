//! A worker as the supervisor sees it: a process, and what it last said.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kilonova_config::Config;
use kilonova_config::status::WorkerState;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{ChildStderr, Command};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use super::accept::WorkerId;
use super::event::Event;
use crate::channel::waiting::Waiting;
use crate::channel::{Channel, MESSAGE_SIZE, sealed};
use crate::counters::Snapshot;
use crate::message::{Sealed, ToWorker};

/// A worker that has answered none of so many pings, one a second, hangs.
const PINGS: u64 = 30;
/// A worker that has answered none of so many gets no new connections.
const SILENT_PINGS: u64 = 2;

/// How a worker takes its leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// How long it only says so.
    pub lame_duck: Duration,
    /// How long it then has to finish; `None` for ever.
    pub within: Option<Duration>,
}

impl Farewell {
    /// As the configuration has it: `drainDelaySeconds` and `graceful_shutdown_timeout`.
    pub fn of(config: &Config) -> Self {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        Self {
            lame_duck: seconds(config.drain_delay_seconds),
            within: (config.graceful_shutdown_timeout_seconds > 0)
                .then(|| seconds(config.graceful_shutdown_timeout_seconds)),
        }
    }

    /// The message that ends the lame duck.
    pub fn finish(&self) -> ToWorker {
        let milliseconds = |within: Duration| u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        ToWorker::Finish {
            within: self.within.map(milliseconds),
        }
    }
}

/// A worker process.
#[derive(Debug)]
pub struct Child {
    /// Its process id.
    pub process: u32,
    /// What it does.
    pub state: WorkerState,
    /// Its counters when it last said them.
    pub counters: Snapshot,
    /// Since when it has served.
    pub ready: Option<Instant>,
    /// Our end of its channel for connections, until the accepting thread has it.
    pub connections: Option<Channel>,
    control: Arc<Waiting>,
    kill: Arc<Notify>,
    pinged: u64,
    answered: u64,
}

impl Child {
    /// Starts a worker for an API that listens at `local`. What it says and how it ends become events.
    pub fn start(
        worker: WorkerId,
        api: &str,
        local: SocketAddr,
        sealed: &Sealed,
        events: &UnboundedSender<Event>,
    ) -> io::Result<Self> {
        let (control, its_control) = Channel::pair()?;
        let (connections, its_connections) = Channel::pair()?;
        let mut process = Command::new("/proc/self/exe")
            .arg0(format!("kilonova-server: {api}"))
            .arg("worker")
            .stdin(Stdio::from(OwnedFd::from(its_control)))
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let start = ToWorker::Start {
            api: api.to_owned(),
            local,
        };
        let settings = sealed::write(sealed)?;
        let sent = control.send(
            &serde_json::to_vec(&start)?,
            &[its_connections.as_fd(), settings.as_fd()],
        );
        match sent {
            // Dead already: how it ended says more than that it no longer listens.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            sent => sent?,
        }

        let control = Arc::new(Waiting::new(control)?);
        let kill = Arc::new(Notify::new());
        let number = process.id().unwrap_or_default();
        let stderr = process.stderr.take();
        tokio::spawn(listen(worker, Arc::clone(&control), events.clone()));
        tokio::spawn({
            let (events, kill) = (events.clone(), Arc::clone(&kill));
            async move {
                let last_line = tokio::spawn(forward(stderr));
                let status = loop {
                    tokio::select! {
                        status = process.wait() => break status,
                        () = kill.notified() => {
                            let _ = process.start_kill();
                        }
                    }
                };
                if let Ok(status) = status {
                    let last_line = last_line.await.unwrap_or_default();
                    let _ = events.send(Event::Exited {
                        worker,
                        status,
                        last_line,
                    });
                }
            }
        });
        tracing::debug!("Started child {number}");
        Ok(Self {
            process: number,
            state: WorkerState::Starting,
            counters: Snapshot::default(),
            ready: None,
            connections: Some(connections),
            control,
            kill,
            pinged: 0,
            answered: 0,
        })
    }

    /// Says something to the worker. One that does not read is judged by its pings.
    pub fn tell(&self, message: &ToWorker) {
        self.tell_with(message, None);
    }

    /// Has the worker build what new settings need.
    pub fn prepare(&self, revision: u64, settings: &OwnedFd) {
        self.tell_with(&ToWorker::Prepare { revision }, Some(settings));
    }

    fn tell_with(&self, message: &ToWorker, descriptor: Option<&OwnedFd>) {
        let descriptors: Vec<_> = descriptor
            .iter()
            .map(|descriptor| descriptor.as_fd())
            .collect();
        let sent = serde_json::to_vec(message)
            .map_err(io::Error::from)
            .and_then(|text| self.control.try_send(&text, &descriptors));
        if let Err(error) = sent {
            tracing::debug!("cannot speak to child {}: {error}", self.process);
        }
    }

    /// Has it take its leave as the whole server does: first every answer says so, then quiet connections are closed.
    pub fn retire(&self, farewell: Farewell) {
        self.tell(&ToWorker::LameDuck);
        let control = Arc::clone(&self.control);
        tokio::spawn(async move {
            tokio::time::sleep(farewell.lame_duck).await;
            if let Ok(text) = serde_json::to_vec(&farewell.finish()) {
                // It may be gone by now.
                let _ = control.try_send(&text, &[]);
            }
        });
    }

    /// Asks whether it is alive; false when it has not answered for so long that it must be replaced.
    pub fn ping(&mut self) -> bool {
        self.pinged += 1;
        self.tell(&ToWorker::Ping {
            number: self.pinged,
        });
        self.pinged - self.answered <= PINGS
    }

    /// Whether its silence is long enough to give it no new connections.
    pub fn silent(&self) -> bool {
        self.pinged - self.answered > SILENT_PINGS
    }

    /// It answered.
    pub fn pong(&mut self, number: u64, counters: Snapshot) {
        self.answered = self.answered.max(number);
        self.counters = counters;
    }

    /// Whether it is to take part in what comes.
    pub fn stays(&self) -> bool {
        self.state != WorkerState::Retiring
    }

    /// Ends it now.
    pub fn kill(&self) {
        self.kill.notify_one();
    }
}

/// Turns what a worker says into events until it says nothing any more.
async fn listen(worker: WorkerId, control: Arc<Waiting>, events: UnboundedSender<Event>) {
    let mut buffer = vec![0; MESSAGE_SIZE];
    while let Ok(Some(received)) = control.receive(&mut buffer).await {
        match serde_json::from_slice(&buffer[..received.length]) {
            Ok(message) => {
                let _ = events.send(Event::Said(worker, message));
            }
            Err(error) => tracing::error!("worker {worker} says what nobody understands: {error}"),
        }
    }
}

/// Passes a worker's standard error on to the log, which never waits; returns its last line.
async fn forward(stderr: Option<ChildStderr>) -> Option<String> {
    let mut lines = BufReader::new(stderr?).lines();
    let mut last = None;
    while let Ok(Some(line)) = lines.next_line().await {
        tracing::error!("child: {line}");
        last = Some(line);
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn thirty_pings_without_an_answer_are_too_many() {
        let (control, _its_control) = Channel::pair().unwrap();
        let mut child = Child {
            process: 1,
            state: WorkerState::Ready,
            counters: Snapshot::default(),
            ready: None,
            connections: None,
            control: Arc::new(Waiting::new(control).unwrap()),
            kill: Arc::default(),
            pinged: 0,
            answered: 0,
        };
        assert!(child.ping() && child.ping() && !child.silent());
        assert!(child.ping() && child.silent());
        assert!((3..30).all(|_| child.ping()));
        assert!(!child.ping());
        child.pong(31, Snapshot::default());
        assert!(child.ping() && !child.silent());
    }
}
