//! The supervisor: nova's `ProcessLauncher`, as one loop over everything that can happen.

pub mod accept;
pub mod balance;
mod child;
mod database;
mod event;
mod plan;
mod records;
mod reload;
mod reminder;
mod reporting;
mod restarts;
mod service;
mod signals;
mod sources;
mod start;
mod stopping;
mod takeover;
mod tls;
mod view;

use std::future;
use std::io;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use kilonova_config::status::{DatabaseStatus, PodStatus, Reload as LastReload};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::log;
use crate::message::{FromWorker, ToWorker};
use accept::{Accepting, Command, WorkerId};
use child::Farewell;
pub use event::Event;
pub use plan::{Plan, PlanError, Source};
use records::Records;
use reload::{Reload, Stamps};
use reporting::{Report, Trigger};
use service::Service;
use stopping::{Next, Stage, Stopping};
use view::Outcome;
pub use view::View;

/// Serves until told to stop.
pub fn run(source: Source) -> io::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    raise_descriptor_limit();
    runtime.block_on(async {
        let (events, inbox) = unbounded_channel();
        event::watch_signals(&events)?;
        let plan = match source.plan() {
            Ok(plan) => plan,
            Err(error) => {
                let log = log::start(&kilonova_config::Logging::default());
                if let Some(preface) = error.preface() {
                    tracing::error!("{preface}");
                }
                tracing::error!("{error}");
                drop(log);
                return Ok(ExitCode::FAILURE);
            }
        };
        let log = log::start(&plan.config.logging);
        let outcome = match Supervisor::start(source, plan, events, inbox) {
            Ok(supervisor) => supervisor.supervise().await,
            Err(error) => Err(error),
        };
        let outcome = outcome.unwrap_or_else(|error| {
            tracing::error!("{error}");
            Outcome::Failed
        });
        drop(log);
        Ok(outcome.into())
    })
}

/// oslo.service `Launcher._on_alarm_exit`.
const TIMEOUT_EXCEEDED: &str = "Graceful shutdown timeout exceeded, instantaneous exiting";

struct Supervisor {
    source: Source,
    plan: Plan,
    services: Vec<Service>,
    accepting: Accepting,
    events: UnboundedSender<Event>,
    inbox: UnboundedReceiver<Event>,
    next_worker: WorkerId,
    started: bool,
    stopping: Option<Stopping>,
    stamps: Stamps,
    revision: u64,
    reload: Option<Reload>,
    last_reload: Option<LastReload>,
    reloads: (u64, u64),
    lost: Option<&'static str>,
    report: Option<Report>,
    trigger: Trigger,
    records: Option<Records>,
    database: Option<DatabaseStatus>,
    /// The service records are there, or none are kept: workers may start.
    enrolled: bool,
}

impl Supervisor {
    /// Serves to the end; whoever leaves in order takes its service records along.
    async fn supervise(mut self) -> io::Result<Outcome> {
        let outcome = self.serve().await?;
        let in_order = self
            .stopping
            .as_ref()
            .is_some_and(|stopping| stopping.stage == Stage::Finishing);
        if in_order && let Some(records) = self.records.take() {
            records.leave().await;
        }
        Ok(outcome)
    }

    async fn serve(&mut self) -> io::Result<Outcome> {
        let mut seconds = interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let event = tokio::select! {
                event = self.inbox.recv() => event,
                _ = seconds.tick() => Some(Event::Tick),
                () = next_stage(self.stopping.as_ref()) => None,
            };
            match event {
                Some(Event::Signal(signal)) => {
                    if let Some(outcome) = self.obey(signal) {
                        return Ok(outcome);
                    }
                }
                Some(Event::Said(worker, message)) => self.hear(worker, message)?,
                Some(Event::Exited {
                    worker,
                    status,
                    last_line,
                }) => {
                    if let Some(service) = self
                        .services
                        .iter_mut()
                        .find(|service| service.workers.contains_key(&worker))
                    {
                        service.worker_exited(worker, status, last_line, &self.accepting);
                        let finishing = self.stopping.as_ref().map(|stopping| stopping.stage);
                        if finishing == Some(Stage::Finishing) && !status.success() {
                            self.lost = Some("A worker died before it had finished");
                        }
                    }
                    if let Some(reload) = &mut self.reload {
                        let step = reload.gone(worker);
                        self.take(step);
                    }
                    self.report_answered(worker, None);
                    self.keep_up();
                }
                Some(Event::Database(news)) => {
                    if let Some(outcome) = self.heed(news) {
                        return Ok(outcome);
                    }
                }
                Some(Event::Start(api)) => self.start_worker(api),
                Some(Event::Drained) => self.finish(),
                Some(Event::Tick) => self.tick(),
                Some(Event::Ask(answer)) => {
                    let _ = answer.send(self.view());
                }
                None => {}
            }
            if let Some(outcome) = self.stop_further() {
                return Ok(outcome);
            }
        }
    }

    fn hear(&mut self, worker: WorkerId, message: FromWorker) -> io::Result<()> {
        let Some(service) = self
            .services
            .iter_mut()
            .find(|service| service.workers.contains_key(&worker))
        else {
            return Ok(());
        };
        match message {
            FromWorker::Ready => {
                service.worker_ready(worker, &self.accepting)?;
                if self.stopping.is_some() {
                    service.tell_all(&ToWorker::LameDuck);
                }
                if !self.started && self.services.iter().all(|service| service.started) {
                    self.started = true;
                    tracing::info!("All APIs are served");
                }
            }
            FromWorker::Pong { number, counters } => {
                if let Some(child) = service.workers.get_mut(&worker) {
                    child.pong(number, *counters);
                }
            }
            FromWorker::Finished {
                counters,
                abandoned,
            } => {
                if abandoned > 0 {
                    tracing::warn!(
                        "{}: {abandoned} connections were given up",
                        service.plan.api.name
                    );
                    if self.stopping.is_some() {
                        self.lost = Some(TIMEOUT_EXCEEDED);
                    }
                }
                if let Some(child) = service.workers.get_mut(&worker) {
                    child.counters = *counters;
                }
            }
            FromWorker::Report(report) => self.report_answered(worker, Some(report)),
            FromWorker::Prepared { revision, error } => {
                if let Some(reload) = &mut self.reload {
                    let step = reload.prepared(worker, revision, error);
                    self.take(step);
                }
            }
        }
        Ok(())
    }

    fn tick(&mut self) {
        for service in &mut self.services {
            service.beat(&self.accepting);
        }
        self.remind();
        if let Some(reload) = &mut self.reload {
            let step = reload.tick();
            self.take(step);
        }
        self.report_tick();
        let stamps = Stamps::of(&self.source.files(&self.plan.config));
        if stamps != self.stamps && self.stopping.is_none() {
            self.read_again();
        }
    }

    fn start_worker(&mut self, api: usize) {
        if self.replaces()
            && let Some(service) = self.services.get_mut(api)
        {
            self.next_worker += 1;
            if let Err(error) = service.start_due(self.next_worker, &self.events) {
                service.could_not_start(&error, &self.accepting);
                self.keep_up();
            }
        }
    }

    /// Until the workers are told to finish, a dead one is still missed.
    fn replaces(&self) -> bool {
        self.enrolled
            && self
                .stopping
                .as_ref()
                .is_none_or(|stopping| stopping.stage != Stage::Finishing)
    }

    fn keep_up(&mut self) {
        if self.replaces() {
            let farewell = Farewell::of(&self.plan.config);
            for service in &mut self.services {
                service.keep_up(farewell, &self.accepting, &self.events);
            }
        }
    }

    fn stop_further(&mut self) -> Option<Outcome> {
        let stopping = self.stopping.as_mut()?;
        let due = stopping.due(Instant::now());
        let finished = stopping.stage == Stage::Finishing
            && self
                .services
                .iter()
                .all(|service| service.workers.is_empty());
        match due {
            // The last worker and this clock may reach the deadline in either order.
            Next::GiveUp => {
                tracing::error!("{TIMEOUT_EXCEEDED}");
                Some(Outcome::Failed)
            }
            _ if finished => {
                tracing::info!("{}", self.lost.unwrap_or("WSGI server has stopped."));
                Some(match self.lost {
                    Some(_) => Outcome::Failed,
                    None => Outcome::Drained,
                })
            }
            Next::Close => {
                tracing::info!("Stopping WSGI server.");
                self.accepting.tell(Command::Close);
                None
            }
            Next::Wait => None,
        }
    }

    /// The sockets are closed: the workers finish what they have.
    fn finish(&mut self) {
        let Some(stopping) = &mut self.stopping else {
            return;
        };
        stopping.stage = Stage::Finishing;
        let finish = stopping.rest(Instant::now()).finish();
        let children: usize = self
            .services
            .iter()
            .map(|service| service.workers.len())
            .sum();
        tracing::info!("Waiting on {children} children to exit");
        self.tell_all(&finish);
        for service in &mut self.services {
            service.retire_all();
        }
    }

    fn tell_all(&self, message: &ToWorker) {
        for service in &self.services {
            service.tell_all(message);
        }
    }

    fn view(&self) -> View {
        let stopping = self.stopping.is_some();
        View {
            status: PodStatus {
                version: crate::VERSION.to_owned(),
                state: view::pod_state(self.started, stopping),
                revision: self.plan.revision.clone(),
                sources: self.plan.sources.clone(),
                database: self.database.clone(),
                apis: self.services.iter().map(view::api_status).collect(),
                ignored_settings: self.plan.ignored.clone(),
                needs_restart: self.plan.needs_restart,
                last_reload: self.last_reload.clone(),
            },
            started: self.started,
            ready: self.started && !stopping && self.services.iter().all(Service::ready),
            counters: self.services.iter().map(Service::totals).collect(),
            reloads: self.reloads,
        }
    }
}

/// A worker takes four descriptors, a connection on its way one: what a shell allows by default may be too few.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // Without it the server still serves, only less.
    let _ = setrlimit(Resource::Nofile, raised);
}

async fn next_stage(stopping: Option<&Stopping>) {
    match stopping.and_then(|stopping| stopping.wait(Instant::now())) {
        Some(wait) => sleep(wait).await,
        None => future::pending().await,
    }
}
