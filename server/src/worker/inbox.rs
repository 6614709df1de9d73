//! The channel for connections: takes charge of what comes, and reports running totals.

use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::connection;
use super::context::Context;
use crate::channel::handover::{Handover, Report, Shed};
use crate::channel::waiting::Waiting;
use crate::channel::{Channel, Received};

/// The most connections taken from the channel before what they bring is looked at.
const BATCH: usize = 16;
/// How long a closed connection may go unreported: the next acknowledgement usually says it too.
const DELAY: Duration = Duration::from_millis(20);

pub struct Inbox {
    channel: Waiting,
    context: Arc<Context>,
    /// What the next report says, and what the last one said.
    acknowledged: u64,
    reported: Option<Report>,
    changed: Arc<Notify>,
}

impl Inbox {
    pub fn new(channel: Channel, context: Arc<Context>) -> io::Result<Self> {
        Ok(Self {
            channel: Waiting::new(channel)?,
            context,
            acknowledged: 0,
            reported: None,
            changed: Arc::new(Notify::new()),
        })
    }

    /// Serves what comes until the channel ends, and then only waits; an error is one of the system's.
    pub async fn run(mut self) -> io::Result<()> {
        let mut buffer = [0; 64];
        let (mut delay, mut due) = (pin!(sleep(DELAY)), false);
        loop {
            // What has been taken must be served: only the waiting may be given up for the other branch.
            tokio::select! {
                received = self.channel.receive(&mut buffer) => match received? {
                    Some(first) => {
                        let arrived = self.batch(first, &mut buffer)?;
                        self.serve(arrived).await?;
                    }
                    // The parent is gone, which the control channel tells too.
                    None => return std::future::pending().await,
                },
                () = self.changed.notified() => {
                    if self.is_full() {
                        self.report().await?;
                    } else if !std::mem::replace(&mut due, true) {
                        delay.as_mut().reset(Instant::now() + DELAY);
                    }
                }
                () = delay.as_mut(), if due => {
                    due = false;
                    self.report().await?;
                }
            }
        }
    }

    /// The first message and what else waits in the channel.
    fn batch(&self, first: Received, buffer: &mut [u8]) -> io::Result<Vec<(Handover, OwnedFd)>> {
        let mut arrived = Vec::with_capacity(BATCH);
        let mut next = Some(first);
        while let Some(received) = next {
            let handover = Handover::decode(&buffer[..received.length]);
            if let Some(shed) = Shed::decode(&buffer[..received.length])
                && shed.closed == self.context.counters.progress().0
            {
                self.context.open.shed();
            }
            if let (Some(handover), Some(socket)) =
                (handover, received.descriptors.into_iter().next())
            {
                arrived.push((handover, socket));
            }
            if arrived.len() == BATCH {
                break;
            }
            next = match self.channel.try_receive(buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
                Err(error) => return Err(error),
            };
        }
        Ok(arrived)
    }

    async fn serve(&mut self, arrived: Vec<(Handover, OwnedFd)>) -> io::Result<()> {
        if let Some((last, _)) = arrived.last() {
            self.acknowledged = last.number;
            // Before the first read: from here on these connections are ours alone.
            self.report().await?;
        }
        for (handover, socket) in arrived {
            self.context.counters.accepted();
            let stream = tokio::net::TcpStream::from_std(TcpStream::from(socket))?;
            let guard = Open {
                context: Arc::clone(&self.context),
                changed: Arc::clone(&self.changed),
            };
            let context = Arc::clone(&self.context);
            tokio::spawn(async move {
                connection::serve(&context, stream, handover.peer).await;
                drop(guard);
            });
        }
        Ok(())
    }

    /// Whether the supervisor believes that there is no place here: somebody may wait for one.
    fn is_full(&self) -> bool {
        let closed = self.reported.map_or(0, |reported| reported.closed);
        let most = self
            .context
            .current()
            .settings
            .http
            .max_connections_per_worker;
        self.acknowledged.saturating_sub(closed) >= most.into()
    }

    async fn report(&mut self) -> io::Result<()> {
        let (closed, in_flight) = self.context.counters.progress();
        let report = Report {
            acknowledged: self.acknowledged,
            closed,
            in_flight,
        };
        if self.reported == Some(report) {
            return Ok(());
        }
        self.reported = Some(report);
        match self.channel.send(&report.encode()).await {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
                ) =>
            {
                Ok(())
            }
            sent => sent,
        }
    }
}

/// Counts a connection as closed however its task ends.
struct Open {
    context: Arc<Context>,
    changed: Arc<Notify>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.context.connection_closed();
        self.changed.notify_one();
    }
}
