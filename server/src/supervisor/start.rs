//! The start, in nova's order and with its messages, and everything that can fail tried before the first worker.

use std::io;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::Supervisor;
use super::accept::Accepting;
use super::database;
use super::event::Event;
use super::plan::{Plan, Source};
use super::records::{News, Records, Wanted};
use super::reload::Stamps;
use super::reporting::Trigger;
use super::service::Service;
use super::view::Outcome;
use crate::{admin, app};

impl Supervisor {
    /// nova.cmd.api.main: each enabled API in order; one that does not exist is skipped as long as another is there.
    /// Whatever can fail is tried before the first worker.
    pub(super) fn start(
        source: Source,
        plan: Plan,
        events: UnboundedSender<Event>,
        inbox: UnboundedReceiver<Event>,
    ) -> io::Result<Self> {
        for setting in &plan.ignored {
            tracing::warn!(
                "configuration: {setting} is not known to this release and has no effect"
            );
        }
        let mut services = Vec::new();
        for wanted in &plan.services {
            if app::load(&wanted.api.name).is_none() {
                tracing::warn!(
                    "Could not load paste app '{}'. ``enabled_apis`` includes bad values. Fix to remove this warning.",
                    wanted.api.name
                );
                continue;
            }
            services.push(Service::bind(services.len(), wanted.clone())?);
        }
        if services.is_empty() {
            return Err(io::Error::other(
                "No APIs were started. Check the enabled_apis config option.",
            ));
        }
        let admin = admin::bind(&plan.config.admin)?;
        tokio::spawn(admin::serve(admin, events.clone()));
        let most: Vec<_> = services.iter().map(Service::most_connections).collect();
        let accepting = Accepting::start(&most, events.clone())?;
        let mut supervisor = Self {
            // Unlike anything: the first second looks whether a file was changed while it was read.
            stamps: Stamps::default(),
            source,
            plan,
            services,
            accepting,
            events,
            inbox,
            next_worker: 0,
            started: false,
            stopping: None,
            revision: 0,
            reload: None,
            last_reload: None,
            reloads: (0, 0),
            lost: None,
            report: None,
            trigger: Trigger::default(),
            records: None,
            database: None,
            enrolled: false,
        };
        supervisor.introduce_all();
        match supervisor.wanted_records() {
            Some(wanted) => {
                supervisor.records = Some(Records::keep(wanted, supervisor.events.clone()));
            }
            None => supervisor.start_workers(),
        }
        Ok(supervisor)
    }

    /// What became of the service records; an outcome ends the start.
    pub(super) fn heed(&mut self, news: News) -> Option<Outcome> {
        match news {
            News::Enrolled if !self.enrolled => self.start_workers(),
            News::Enrolled => {}
            News::Refused => return Some(Outcome::Failed),
            News::Seen(seen) => self.database = Some(seen),
        }
        None
    }

    /// What is to be recorded of the APIs that were started.
    pub(super) fn wanted_records(&self) -> Option<Wanted> {
        let apis = self
            .services
            .iter()
            .map(|service| service.plan.api.name.as_str());
        database::wanted(self.plan.database.as_ref()?, &self.plan.config, apis)
    }

    fn start_workers(&mut self) {
        self.enrolled = true;
        for service in &self.services {
            tracing::info!("Starting {} workers", service.desired());
        }
        self.keep_up();
    }
}
