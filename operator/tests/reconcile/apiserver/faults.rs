//! What an API server does when it is not well.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use super::ApiServer;

#[derive(Default)]
pub struct Faults {
    latency: Duration,
    silence: Option<(usize, Moment)>,
    silent: Arc<Notify>,
    /// A field that the definition in the cluster lacks.
    pub lacking: Option<String>,
}

/// When an API server falls silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before it does what it is asked.
    Before,
    /// When it has done it.
    After,
}

/// What happens to one request.
#[derive(Default)]
pub struct Fault {
    latency: Duration,
    silence: Option<Moment>,
    silent: Arc<Notify>,
}

impl Faults {
    pub fn next(&mut self) -> Fault {
        let silence = match &mut self.silence {
            Some((0, moment)) => Some(*moment),
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        };
        Fault {
            latency: self.latency,
            silence,
            silent: Arc::clone(&self.silent),
        }
    }
}

impl Fault {
    pub async fn before(&self) {
        if !self.latency.is_zero() {
            sleep(self.latency).await;
        }
        self.fall_silent(Moment::Before).await;
    }

    pub async fn after(&self) {
        self.fall_silent(Moment::After).await;
    }

    async fn fall_silent(&self, moment: Moment) {
        if self.silence == Some(moment) {
            self.silent.notify_one();
            pending::<()>().await;
        }
    }
}

impl ApiServer {
    /// Every answer takes this long.
    pub fn slow(&self, latency: Duration) {
        self.0.lock().unwrap().faults.latency = latency;
    }

    /// After so many more requests none is answered any more.
    pub fn fall_silent(&self, after: usize, moment: Moment) {
        self.0.lock().unwrap().faults.silence = Some((after, moment));
    }

    /// It answers again.
    pub fn recover(&self) {
        self.0.lock().unwrap().faults.silence = None;
    }

    /// Waits until a request is not answered.
    pub async fn silent(&self) {
        let silent = Arc::clone(&self.0.lock().unwrap().faults.silent);
        silent.notified().await;
    }

    /// The definition in the cluster has no such field in its spec.
    pub fn lacks(&self, field: Option<&str>) {
        self.0.lock().unwrap().faults.lacking = field.map(str::to_owned);
    }
}
