//! The supervisor's part of a reload: reads, has the workers prepare, and commits or leaves everything as it was.

use std::time::{SystemTime, UNIX_EPOCH};

use kilonova_config::status::Reload as LastReload;
use kilonova_tls::Validity;

use super::Supervisor;
use super::accept::WorkerId;
use super::plan::Plan;
use super::reload::{Reload, Stamps, Step};
use crate::message::ToWorker;
use crate::{channel, log};

/// How often files that change while they are read are read at once; after that, with the next second.
const READINGS: u32 = 3;

impl Supervisor {
    /// Reads everything; what is good is prepared, what is bad is said once and changes nothing.
    pub(super) fn read_again(&mut self) {
        let files = self.source.files(&self.plan.config);
        for _ in 0..READINGS {
            self.stamps = Stamps::of(&files);
            let plan = self.source.plan();
            // A Secret that is swapped between two of its files is neither the old one nor the new one.
            if Stamps::of(&files) == self.stamps {
                return match plan {
                    Ok(plan) => self.prepare(plan),
                    Err(error) => self.refuse(error.to_string()),
                };
            }
        }
    }

    fn prepare(&mut self, plan: Plan) {
        let cold = |plan: &Plan| {
            kilonova_config::split(&plan.config)
                .map(|documents| documents.cold)
                .ok()
        };
        self.needs_restart = cold(&plan) != cold(&self.plan);
        if self.needs_restart {
            tracing::warn!(
                "configuration: some changed settings need another pod; the others are taken over"
            );
        }
        self.revision += 1;
        let mut workers = Vec::new();
        for service in &self.services {
            let Some(next) = plan
                .services
                .iter()
                .find(|next| next.api.name == service.plan.api.name)
            else {
                continue;
            };
            let settings = match channel::sealed::write(&next.settings) {
                Ok(settings) => settings,
                Err(error) => return self.refuse(format!("cannot pass settings on: {error}")),
            };
            for (worker, child) in &service.workers {
                child.prepare(self.revision, &settings);
                workers.push(*worker);
            }
        }
        let mut reload = Reload::new(self.revision, plan, workers.into_iter());
        let step = reload.gone(WorkerId::MAX);
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
        let Some(Reload { revision, plan, .. }) = self.reload.take() else {
            return;
        };
        for service in &mut self.services {
            if let Some(next) = plan
                .services
                .iter()
                .find(|next| next.api.name == service.plan.api.name)
            {
                service.plan = next.clone();
            }
            service.tell_all(&ToWorker::Commit { revision });
            for worker in late {
                if let Some(child) = service.workers.get(worker) {
                    tracing::error!(
                        "Child {} did not take the new settings, replacing it",
                        child.process
                    );
                    child.kill();
                }
            }
        }
        log::set(&plan.config.logging);
        self.plan = plan;
        self.stamps = Stamps::of(&self.source.files(&self.plan.config));
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
