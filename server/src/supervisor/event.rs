//! Everything that can happen to the supervisor, in one queue.

use std::process::ExitStatus;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::accept::WorkerId;
use super::records::News;
use super::view::View;
use crate::message::FromWorker;

/// Something happened.
#[derive(Debug)]
pub enum Event {
    /// The system or a person wants something.
    Signal(Signal),
    /// A worker said something.
    Said(WorkerId, FromWorker),
    /// A worker's process has ended.
    Exited {
        /// Which worker.
        worker: WorkerId,
        /// How.
        status: ExitStatus,
        /// The last line it wrote to its standard error.
        last_line: Option<String>,
    },
    /// What became of the service records.
    Database(News),
    /// A start that had to wait is due.
    Start(usize),
    /// The listening sockets are closed, and everything they held has a worker.
    Drained,
    /// A second has passed.
    Tick,
    /// The admin port asks how things are.
    Ask(oneshot::Sender<View>),
}

/// What signals mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// TERM: stop when everything is served; the second one: at once.
    Terminate,
    /// INT: stop at once.
    Interrupt,
    /// HUP: read everything again.
    Hangup,
    /// TTIN: one worker more for each API.
    More,
    /// TTOU: one worker less for each API.
    Fewer,
    /// USR2: write a report.
    Report,
}

/// Turns signals into events. From here on none of them has its default effect: the first process of a container
/// would not even get one it has no handler for.
pub fn watch_signals(events: &UnboundedSender<Event>) -> std::io::Result<()> {
    let kinds = [
        (SignalKind::terminate(), Signal::Terminate),
        (SignalKind::interrupt(), Signal::Interrupt),
        (SignalKind::hangup(), Signal::Hangup),
        (SignalKind::user_defined2(), Signal::Report),
        (number(rustix::process::Signal::TTIN), Signal::More),
        (number(rustix::process::Signal::TTOU), Signal::Fewer),
    ];
    for (kind, meaning) in kinds {
        let mut signals = signal(kind)?;
        let events = events.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                let _ = events.send(Event::Signal(meaning));
            }
        });
    }
    Ok(())
}

fn number(signal: rustix::process::Signal) -> SignalKind {
    SignalKind::from_raw(signal.as_raw())
}
