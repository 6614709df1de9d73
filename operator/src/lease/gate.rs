//! Whether a write may begin. A Lease cannot fence: nothing but this keeps a leader that slept from writing.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

/// Open until a moment that each renewal moves on. Without leader election it is always open.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Mutex<Until>>);

#[derive(Clone, Copy, Debug)]
enum Until {
    Always,
    Moment(Instant),
    Never,
}

/// A write was not begun, because this replica does not lead, or no longer.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("this replica does not hold the lease")]
pub struct Closed;

impl Gate {
    /// Open for ever: there is no other replica.
    pub fn open() -> Self {
        Self(Arc::new(Mutex::new(Until::Always)))
    }

    /// Closed until the lease is held.
    pub fn closed() -> Self {
        Self(Arc::new(Mutex::new(Until::Never)))
    }

    /// The lease is held until `moment`.
    pub fn hold_until(&self, moment: Instant) {
        self.set(Until::Moment(moment));
    }

    /// The lease is lost or given back.
    pub fn close(&self) {
        self.set(Until::Never);
    }

    /// Whether a write may begin now.
    pub fn check(&self) -> Result<(), Closed> {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = match until {
            Until::Always => true,
            Until::Moment(moment) => Instant::now() < moment,
            Until::Never => false,
        };
        if open { Ok(()) } else { Err(Closed) }
    }

    fn set(&self, until: Until) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn the_gate_closes_by_itself() {
        let gate = Gate::closed();
        assert!(gate.check().is_err());
        gate.hold_until(Instant::now() + Duration::from_secs(10));
        tokio::time::advance(Duration::from_millis(9_999)).await;
        assert!(gate.check().is_ok());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(gate.check().is_err());
        gate.hold_until(Instant::now() + Duration::from_secs(10));
        assert!(gate.check().is_ok());
        gate.close();
        assert!(gate.check().is_err());
        assert!(Gate::open().check().is_ok());
    }
}
