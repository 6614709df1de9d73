//! The supervisor as the admin port shows it.

use std::process::ExitCode;

use kilonova_config::status::{ApiStatus, PodState, PodStatus, WorkerStatus};

use super::service::Service;
use super::tls::Served;
use crate::counters::Snapshot;

/// The supervisor at a moment.
#[derive(Clone, Debug)]
pub struct View {
    /// What `/status` answers.
    pub status: PodStatus,
    /// Every API has had a ready worker once.
    pub started: bool,
    /// Every API is served, and the pod is not about to stop.
    pub ready: bool,
    /// Counters of each API, in the order of the status.
    pub counters: Vec<Snapshot>,
    /// Reloads since the start: taken over, refused.
    pub reloads: (u64, u64),
}

/// One API as `/status` shows it.
pub fn api_status(service: &Service) -> ApiStatus {
    let scheme = if service.plan.settings.tls.is_some() {
        "https"
    } else {
        "http"
    };
    ApiStatus {
        name: service.plan.api.name.clone(),
        address: format!("{scheme}://{}", service.local),
        desired_workers: service.desired(),
        workers: service
            .workers
            .values()
            .map(|child| WorkerStatus {
                pid: child.process,
                state: child.state,
                connections: child.counters.connections(),
                requests_in_flight: child.counters.in_flight,
                requests: child.counters.answered(),
            })
            .collect(),
        worker_restarts: service.deaths,
        failing: service.failing.clone(),
        tls: service.plan.served.as_ref().map(Served::status),
    }
}

/// Where in its life the pod is.
pub fn pod_state(started: bool, stopping: bool) -> PodState {
    match (stopping, started) {
        (true, _) => PodState::Draining,
        (false, true) => PodState::Running,
        (false, false) => PodState::Starting,
    }
}

/// nova's exit statuses, as far as a supervisor ends of its own accord.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was served.
    Drained,
    /// Something was given up, or could not be started.
    Failed,
    /// Told a second time.
    Terminated,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Drained => Self::SUCCESS,
            Outcome::Failed => Self::FAILURE,
            Outcome::Terminated => Self::from(143),
        }
    }
}
