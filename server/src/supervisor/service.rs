//! One API: its socket, its workers, and how many there should be.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use kilonova_config::MAX_WORKERS;
use kilonova_config::status::WorkerState;
use kilonova_tls::TicketSeed;
use socket2::Socket;
use tokio::sync::mpsc::UnboundedSender;

use super::accept::{Accepting, Command, WorkerId};
use super::child::{Child, Farewell};
use super::event::Event;
use super::plan::ServicePlan;
use super::reminder::Reminders;
use super::restarts::Restarts;
use super::takeover;
use crate::counters::Snapshot;
use crate::listen;
use crate::message::{Sealed, ToWorker};

/// One API.
#[derive(Debug)]
pub struct Service {
    /// Its place among the APIs that were started.
    pub index: usize,
    /// What it is served with.
    pub plan: ServicePlan,
    /// What session tickets are made with.
    pub seed: TicketSeed,
    /// What was last said of certificates that end.
    pub reminders: Reminders,
    /// Where it really listens.
    pub local: SocketAddr,
    /// Its workers.
    pub workers: BTreeMap<WorkerId, Child>,
    /// Why its workers do not stay alive, when they do not.
    pub failing: Option<String>,
    /// Workers that died and were not told to.
    pub deaths: u64,
    /// Counters of the workers that are gone.
    pub past: Snapshot,
    /// A worker has been ready: the socket listens.
    pub started: bool,
    listener: Option<Socket>,
    restarts: Restarts,
    due: usize,
    /// Workers more, or less, than the configuration asks for (TTIN, TTOU).
    adjustment: i64,
}

impl Service {
    /// Binds an API's socket. nova.wsgi.Server: `%(name)s listening on %(host)s:%(port)s`.
    pub fn bind(index: usize, plan: ServicePlan) -> io::Result<Self> {
        let wanted = SocketAddr::new(plan.api.listen, plan.api.listen_port());
        let socket =
            listen::bind(wanted).inspect_err(|_| tracing::error!("Could not bind to {wanted}"))?;
        let local = listen::local_address(&socket)?;
        tracing::info!("{} listening on {local}", plan.api.name);
        Ok(Self {
            index,
            seed: takeover::new_seed()?,
            reminders: Reminders::default(),
            plan,
            local,
            workers: BTreeMap::new(),
            failing: None,
            deaths: 0,
            past: Snapshot::default(),
            started: false,
            listener: Some(socket),
            restarts: Restarts::default(),
            due: 0,
            adjustment: 0,
        })
    }

    /// How many workers there should be.
    pub fn desired(&self) -> u32 {
        let wanted = i64::from(self.plan.api.worker_count()) + self.adjustment;
        u32::try_from(wanted)
            .unwrap_or_default()
            .clamp(1, MAX_WORKERS)
    }

    /// `[wsgi] default_pool_size`: the most connections one worker holds.
    pub fn most_connections(&self) -> u64 {
        self.plan.api.http.max_connections_per_worker.into()
    }

    /// One worker more or less than now, until the configured number changes or everything is read again.
    pub fn adjust(&mut self, by: i64) {
        let before = i64::from(self.desired());
        let configured = i64::from(self.plan.api.worker_count());
        self.adjustment = (before + by).clamp(1, MAX_WORKERS.into()) - configured;
        tracing::info!(
            "{}: {} workers wanted now",
            self.plan.api.name,
            self.desired()
        );
    }

    /// Back to the configured number of workers.
    pub fn forget_adjustment(&mut self) {
        self.adjustment = 0;
    }

    /// Is served as `plan` says from now on.
    pub fn follow(&mut self, plan: ServicePlan) {
        if plan.api.worker_count() != self.plan.api.worker_count() {
            self.forget_adjustment();
        }
        self.plan = plan;
    }

    /// Starts or retires workers until there are as many as there should be, counting the starts that wait.
    pub fn keep_up(
        &mut self,
        farewell: Farewell,
        accepting: &Accepting,
        events: &UnboundedSender<Event>,
    ) {
        let staying = self.workers.values().filter(|child| child.stays()).count() + self.due;
        for _ in staying..self.desired() as usize {
            let wait = self.restarts.start(self.desired(), Instant::now());
            self.due += 1;
            self.start_later(wait, events);
        }
        let surplus = staying.saturating_sub(self.desired() as usize);
        let retired: Vec<_> = self.staying().rev().take(surplus).collect();
        for worker in retired {
            self.retire(worker, farewell, accepting);
        }
    }

    fn start_later(&self, wait: Duration, events: &UnboundedSender<Event>) {
        let (index, events) = (self.index, events.clone());
        if wait.is_zero() {
            let _ = events.send(Event::Start(index));
            return;
        }
        tracing::info!(
            "{}: Forking too fast, sleeping {}s",
            self.plan.api.name,
            wait.as_secs()
        );
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            let _ = events.send(Event::Start(index));
        });
    }

    /// Starts a worker whose time has come, if it is still wanted.
    pub fn start_due(
        &mut self,
        worker: WorkerId,
        events: &UnboundedSender<Event>,
    ) -> io::Result<()> {
        self.due = self.due.saturating_sub(1);
        if self.staying().count() < self.desired() as usize {
            let sealed = Sealed {
                settings: self.plan.settings.clone(),
                seed: self.seed.clone(),
            };
            let name = &self.plan.api.name;
            let child = Child::start(worker, name, self.local, &sealed, events)?;
            self.workers.insert(worker, child);
        }
        Ok(())
    }

    /// A worker can serve: gives it to the accepting thread, and opens the socket for the first one.
    pub fn worker_ready(&mut self, worker: WorkerId, accepting: &Accepting) -> io::Result<()> {
        let Some(child) = self.workers.get_mut(&worker) else {
            return Ok(());
        };
        child.ready = Some(Instant::now());
        let channel = child.connections.take();
        if !child.stays() {
            // Retired before it was ready: it gets no connection, and the socket waits for one that stays.
            return Ok(());
        }
        child.state = WorkerState::Ready;
        if let Some(channel) = channel {
            let api = self.index;
            accepting.tell(Command::Worker {
                api,
                worker,
                channel,
            });
        }
        if let Some(listener) = self.listener.take() {
            listener.listen(self.plan.api.http.backlog.cast_signed())?;
            let api = self.index;
            accepting.tell(Command::Listen { api, listener });
            self.started = true;
        }
        Ok(())
    }

    /// A worker's process has ended.
    pub fn worker_exited(
        &mut self,
        worker: WorkerId,
        status: ExitStatus,
        last_line: Option<String>,
        accepting: &Accepting,
    ) {
        let Some(child) = self.workers.remove(&worker) else {
            return;
        };
        accepting.tell(Command::Gone(worker));
        let how = how_it_ended(child.process, status);
        tracing::info!("{how}");
        self.past.add(&child.counters.clone().of_the_dead());
        if !child.stays() {
            return;
        }
        self.deaths += 1;
        let served = child.ready.map(|ready| ready.elapsed());
        let reason = match last_line {
            Some(line) => format!("{how}: {line}"),
            None => how,
        };
        self.died(served, reason, accepting);
    }

    /// A worker's process could not be started: the system is out of something. What runs is not harmed by that.
    pub fn could_not_start(&mut self, error: &io::Error, accepting: &Accepting) {
        let reason = format!("cannot start a worker: {error}");
        tracing::error!("{}: {reason}", self.plan.api.name);
        self.died(None, reason, accepting);
    }

    fn died(&mut self, served: Option<Duration>, reason: String, accepting: &Accepting) {
        let now = Instant::now();
        self.restarts.died(served, now);
        // As long as one of them lives, the API is served, and only the restarts of the others wait.
        if self.restarts.failing(now) && !self.workers.values().any(settled) {
            if self.failing.is_none() {
                tracing::error!(
                    "{}: workers do not stay alive: {reason}",
                    self.plan.api.name
                );
                accepting.tell(Command::Failing(self.index, true));
            }
            self.failing = Some(reason);
        }
    }

    /// Asks every worker whether it is alive, and draws the conclusions.
    pub fn beat(&mut self, accepting: &Accepting) {
        for (worker, child) in &mut self.workers {
            if !child.ping() {
                tracing::error!(
                    "Child {} has not answered for 30 pings, killing it",
                    child.process
                );
                child.kill();
            }
            accepting.tell(Command::Silent(*worker, child.silent()));
        }
        if self.failing.is_some() && self.workers.values().any(settled) {
            tracing::info!("{}: workers stay alive again", self.plan.api.name);
            self.failing = None;
            accepting.tell(Command::Failing(self.index, false));
        }
        if self.staying().count() >= self.desired() as usize
            && self
                .workers
                .values()
                .filter(|child| child.stays())
                .all(settled)
        {
            self.restarts.settled();
        }
    }

    /// Whether the API is served.
    pub fn ready(&self) -> bool {
        self.failing.is_none()
            && self
                .workers
                .values()
                .any(|child| child.state == WorkerState::Ready)
    }

    /// Says something to every worker.
    pub fn tell_all(&self, message: &ToWorker) {
        for child in self.workers.values() {
            child.tell(message);
        }
    }

    /// Marks every worker as one that is to end.
    pub fn retire_all(&mut self) {
        for child in self.workers.values_mut() {
            child.state = WorkerState::Retiring;
        }
    }

    /// Everything this API's workers have counted since the pod started.
    pub fn totals(&self) -> Snapshot {
        let mut totals = self.past.clone();
        for child in self.workers.values() {
            totals.add(&child.counters);
        }
        totals
    }

    fn staying(&self) -> impl DoubleEndedIterator<Item = WorkerId> {
        self.workers
            .iter()
            .filter(|(_, child)| child.stays())
            .map(|(worker, _)| *worker)
    }

    fn retire(&mut self, worker: WorkerId, farewell: Farewell, accepting: &Accepting) {
        accepting.tell(Command::Retire(worker));
        if let Some(child) = self.workers.get_mut(&worker) {
            child.state = WorkerState::Retiring;
            child.retire(farewell);
        }
    }
}

/// Whether a worker has lived long enough to believe in it.
fn settled(child: &Child) -> bool {
    let long = Restarts::settles_after();
    child.stays() && child.ready.is_some_and(|ready| ready.elapsed() >= long)
}

/// oslo.service `ProcessLauncher._wait_child`.
fn how_it_ended(process: u32, status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("Child {process} killed by signal {signal}"),
        (None, code) => format!(
            "Child {process} exited with status {}",
            code.unwrap_or_default()
        ),
    }
}
