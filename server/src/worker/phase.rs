//! Where in its life a worker is.

use tokio::time::Instant;

/// Every connection watches this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Connections are kept as long as their clients like.
    Serving,
    /// Answers say that the connection takes no further request; nothing is closed on a client.
    LameDuck,
    /// Connections are closed after a second of quiet.
    Finishing {
        /// What is still open then is given up; `None` waits for ever.
        deadline: Option<Instant>,
    },
}

impl Phase {
    /// When everything that is still open is given up.
    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Finishing { deadline } => *deadline,
            Self::Serving | Self::LameDuck => None,
        }
    }
}
