//! The supervisor's part of a reload: reads, has the workers prepare, and commits or leaves everything as it was.

use std::os::fd::OwnedFd;
use std::time::{SystemTime, UNIX_EPOCH};

use kilonova_config::status::Reload as LastReload;
use kilonova_tls::Validity;

use super::Supervisor;
use super::accept::WorkerId;
use super::plan::Plan;
use super::reload::{Reload, Stamps, Step};
use crate::channel::sealed;
use crate::log;
use crate::message::ToWorker;

/// How often files that change while they are read are read at once; after that, with the next second.
const READINGS: u32 = 3;

impl Supervisor {
    /// Reads everything; what is good is prepared, what is bad is said once and changes nothing.
    pub(super) fn read_again(&mut self) {
        // Whatever was being prepared is older than what is read now.
        self.reload = None;
        let files = self.source.files(&self.plan.config);
        for _ in 0..READINGS {
            self.stamps = Stamps::of(&files);
            let plan = self.source.plan_for(&self.plan.config);
            // A Secret that is swapped between two of its files is neither the old one nor the new one.
            if Stamps::of(&files) == self.stamps {
                return match plan {
                    Ok(plan) if plan == self.plan => self.accept_as_it_is(),
                    Ok(plan) => self.prepare(plan),
                    Err(error) => self.refuse(error.to_string()),
                };
            }
        }
    }

    /// The files ask for what is served already, possibly after they had asked for something bad.
    fn accept_as_it_is(&mut self) {
        if self
            .last_reload
            .as_ref()
            .is_some_and(|reload| reload.error.is_some())
        {
            tracing::info!("The configuration is what is served again");
            self.last_reload = Some(LastReload {
                at: unix_now(),
                error: None,
            });
        }
    }

    fn prepare(&mut self, plan: Plan) {
        if plan.needs_restart && !self.plan.needs_restart {
            tracing::warn!(
                "configuration: some changed settings need another pod; the others are taken over"
            );
        }
        let settings = self.services.iter().map(|service| {
            let next = plan
                .service(&service.plan.api.name)
                .unwrap_or(&service.plan);
            sealed::write(&next.settings)
        });
        let settings: Vec<OwnedFd> = match settings.collect() {
            Ok(settings) => settings,
            Err(error) => return self.refuse(format!("cannot pass settings on: {error}")),
        };
        self.revision += 1;
        let mut workers = Vec::new();
        for (service, settings) in self.services.iter().zip(&settings) {
            for (worker, child) in &service.workers {
                child.prepare(self.revision, settings);
                workers.push(*worker);
            }
        }
        let reload = Reload::new(self.revision, plan, settings, workers.into_iter());
        let step = reload.first_step();
        self.reload = Some(reload);
        self.take(step);
    }

    pub(super) fn take(&mut self, step: Step) {
        match step {
            Step::Wait => {}
            Step::Refuse(error) => {
                self.reload = None;
                self.refuse(error);
            }
            Step::Commit(late) => self.commit(&late),
        }
    }

    fn commit(&mut self, late: &[WorkerId]) {
        let Some(reload) = self.reload.take() else {
            return;
        };
        let revision = reload.revision;
        for (service, settings) in self.services.iter_mut().zip(&reload.settings) {
            if let Some(next) = reload.plan.service(&service.plan.api.name) {
                service.plan = next.clone();
            }
            for (worker, child) in &service.workers {
                // One that was started meanwhile was started with the old settings.
                if !reload.asked(*worker) {
                    child.prepare(revision, settings);
                }
                child.tell(&ToWorker::Commit { revision });
                if late.contains(worker) {
                    tracing::error!(
                        "Child {} did not take the new settings, replacing it",
                        child.process
                    );
                    child.kill();
                }
            }
        }
        log::set(&reload.plan.config.logging);
        self.plan = reload.plan;
        self.reloads.0 += 1;
        self.last_reload = Some(LastReload {
            at: unix_now(),
            error: None,
        });
        tracing::info!("Configuration and certificates taken over");
        self.warn_of_dates();
        self.keep_up();
    }

    fn refuse(&mut self, error: String) {
        let known = self
            .last_reload
            .as_ref()
            .and_then(|reload| reload.error.as_ref());
        if known != Some(&error) {
            tracing::error!("Nothing changed, still serving with what was good: {error}");
            self.reloads.1 += 1;
            self.last_reload = Some(LastReload {
                at: unix_now(),
                error: Some(error),
            });
        }
    }

    /// An expired certificate is served: a reschedule must not turn a warning into an outage. But it is said.
    pub(super) fn warn_of_dates(&self) {
        for service in &self.services {
            let Some(facts) = &service.plan.facts else {
                continue;
            };
            let (name, serial) = (&service.plan.api.name, &facts.serial);
            match facts.validity(unix_now()) {
                Validity::Valid => tracing::info!("{name}: serving certificate {serial}"),
                Validity::Expired => {
                    tracing::error!(
                        "{name}: certificate {serial} has EXPIRED: clients will refuse it. Renew it now."
                    );
                }
                Validity::NotYetValid => {
                    tracing::error!(
                        "{name}: certificate {serial} is not valid yet: clients will refuse it"
                    );
                }
            }
        }
    }
}

fn unix_now() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
