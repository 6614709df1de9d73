//! What each signal does (oslo.service `ProcessLauncher`, and what it never could).

use std::time::Instant;

use super::Supervisor;
use super::child::Farewell;
use super::event::Signal;
use super::stopping::Stopping;
use super::view::Outcome;
use crate::message::ToWorker;

impl Supervisor {
    /// Obeys; an outcome ends the server at once.
    pub(super) fn obey(&mut self, signal: Signal) -> Option<Outcome> {
        match signal {
            Signal::Interrupt => {
                tracing::info!("Caught SIGINT signal, instantaneous exiting");
                return Some(Outcome::Failed);
            }
            Signal::Terminate if self.stopping.is_some() || !self.started => {
                tracing::info!("Caught SIGTERM signal, instantaneous exiting");
                return Some(Outcome::Terminated);
            }
            Signal::Terminate => {
                tracing::info!("Caught SIGTERM, stopping children");
                let farewell = Farewell::of(&self.plan.config);
                self.stopping = Some(Stopping::begin(farewell, Instant::now()));
                self.tell_all(&ToWorker::LameDuck);
            }
            Signal::Hangup => {
                tracing::info!("Caught SIGHUP, reading the configuration again");
                if self.stopping.is_none() {
                    for service in &mut self.services {
                        service.forget_adjustment();
                    }
                    self.read_again();
                    self.keep_up();
                }
            }
            Signal::More => self.adjust_workers("SIGTTIN", 1),
            Signal::Fewer => self.adjust_workers("SIGTTOU", -1),
            Signal::Report => self.begin_report(),
        }
        None
    }

    fn adjust_workers(&mut self, signal: &str, by: i64) {
        tracing::info!("Caught {signal}");
        if self.stopping.is_none() {
            for service in &mut self.services {
                service.adjust(by);
            }
            self.keep_up();
        }
    }
}
