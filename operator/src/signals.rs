//! Being told to stop.

use std::io;
use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

/// The handlers of TERM and INT. Pid 1 ignores signals it has no handler for, so they are installed first of all.
#[derive(Debug)]
pub struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    /// Installs the handlers.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
        })
    }

    /// The first signal cancels `stop`: what runs may end. The second ends the program.
    pub fn cancel(mut self, stop: CancellationToken) {
        tokio::spawn(async move {
            self.next().await;
            info!("stopping");
            stop.cancel();
            self.next().await;
            process::exit(1);
        });
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}
