//! The supervisor's part of a reload: reads, has the workers prepare, and commits or leaves everything as it was.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use kilonova_config::status::Reload as LastReload;
use kilonova_tls::TicketSeed;

use super::Supervisor;
use super::accept::{Command, WorkerId};
use super::plan::Plan;
use super::reload::{Prepared, Reload, Stamps, Step};
use super::reminder::Reminders;
use super::service::Service;
use crate::channel::sealed;
use crate::log;
use crate::message::{Sealed, ToWorker};

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
        let prepared: io::Result<Vec<_>> = self
            .services
            .iter()
            .map(|service| sealed_for(service, &plan))
            .collect();
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return self.refuse(format!("cannot pass settings on: {error}")),
        };
        self.revision += 1;
        let mut workers = Vec::new();
        for (service, next) in self.services.iter().zip(&prepared) {
            for (worker, child) in &service.workers {
                child.prepare(self.revision, &next.sealed);
                workers.push(*worker);
            }
        }
        let reload = Reload::new(self.revision, plan, prepared, workers.into_iter());
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
        for (service, prepared) in self.services.iter_mut().zip(&reload.prepared) {
            if let Some(next) = reload.plan.service(&service.plan.api.name) {
                let same = next.settings.tls == service.plan.settings.tls;
                service.follow(next.clone());
                service.seed = prepared.seed.clone();
                if !same {
                    introduce(service);
                }
                let most = service.most_connections();
                self.accepting.tell(Command::Most(service.index, most));
                let backlog = next.api.http.backlog;
                self.accepting
                    .tell(Command::Backlog(service.index, backlog));
            }
            for (worker, child) in &service.workers {
                // One that was started meanwhile was started with the old settings.
                if !reload.asked(*worker) {
                    child.prepare(revision, &prepared.sealed);
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
        if let (Some(records), Some(wanted)) = (&self.records, self.wanted_records()) {
            records.change(&wanted);
        }
        self.reloads.0 += 1;
        self.last_reload = Some(LastReload {
            at: unix_now(),
            error: None,
        });
        tracing::info!("Configuration and certificates taken over");
        self.remind();
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

    /// Says with what certificate every API begins.
    pub(super) fn introduce_all(&mut self) {
        self.services.iter_mut().for_each(introduce);
        self.remind();
    }

    /// An expired certificate is served: a reschedule must not turn a warning into an outage. But it is said.
    pub(super) fn remind(&mut self) {
        let now = unix_now();
        for service in &mut self.services {
            // Old tickets are forgotten here too.
            if let Err(error) = service.seed.advance(now.unsigned_abs()) {
                tracing::error!("{}: {error}", service.plan.api.name);
            }
            for (error, words) in service.reminders.due(now) {
                let name = &service.plan.api.name;
                if error {
                    tracing::error!("{name}: {words}");
                } else {
                    tracing::warn!("{name}: {words}");
                }
            }
        }
    }
}

/// Says what an API is served with from now on; what there is to remind of is reminded of anew.
fn introduce(service: &mut Service) {
    let Some(served) = &service.plan.served else {
        return;
    };
    let name = &service.plan.api.name;
    tracing::info!("{name}: serving certificate {}", served.facts.serial);
    for warning in &served.warnings {
        tracing::warn!("{name}: {warning}");
    }
    service.reminders = Reminders::of(served.terms());
}

/// What an API's workers are told. Tickets go on as long as nothing about TLS is new; after that nobody resumes what
/// was agreed under other certificates.
fn sealed_for(service: &Service, plan: &Plan) -> io::Result<Prepared> {
    let next = plan
        .service(&service.plan.api.name)
        .unwrap_or(&service.plan);
    let seed = if next.settings.tls == service.plan.settings.tls {
        service.seed.clone()
    } else {
        new_seed()?
    };
    let sealed = sealed::write(&Sealed {
        settings: next.settings.clone(),
        seed: seed.clone(),
    })?;
    Ok(Prepared { sealed, seed })
}

/// Tickets that have nothing to do with any before.
pub(super) fn new_seed() -> io::Result<TicketSeed> {
    TicketSeed::random(unix_now().unsigned_abs()).map_err(io::Error::other)
}

fn unix_now() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
