//! What all connections of a worker share.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use http::uri::Scheme;
use kilonova_config::Logging;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::open::OpenConnections;
use super::phase::Phase;
use crate::access_log::Format;
use crate::app::{self, App, Manager, Routes};
use crate::channel::{Channel, Received, sealed};
use crate::counters::Counters;
use crate::log;
use crate::message::{Sealed, Settings, ToWorker};
use crate::reason::Reason;
use crate::report::WorkerReport;

/// Settings, and what was built from them.
pub struct Current {
    pub settings: Settings,
    pub access_log: Format,
    pub tls: Option<TlsAcceptor>,
}

impl Current {
    /// `http` or `https`.
    pub fn scheme(&self) -> Scheme {
        if self.tls.is_some() {
            Scheme::HTTPS
        } else {
            Scheme::HTTP
        }
    }
}

/// What all connections of a worker share.
pub struct Context {
    pub routes: Routes,
    pub local: SocketAddr,
    pub counters: Counters,
    pub open: Arc<OpenConnections>,
    api: String,
    logger: String,
    current: ArcSwap<Current>,
    prepared: Mutex<Option<(u64, Arc<Current>)>>,
    phase: watch::Sender<Phase>,
    closed: Notify,
    orphaned: AtomicBool,
}

/// What the first message made.
pub struct Begun {
    pub context: Arc<Context>,
    /// The app's, if it has one.
    pub manager: Option<Box<dyn Manager>>,
    /// The channel for connections.
    pub connections: Channel,
}

impl Context {
    /// Builds everything the first message asks for.
    pub fn start(message: ToWorker, received: Received) -> io::Result<Begun> {
        let ToWorker::Start { api, local } = message else {
            return Err(io::Error::other("the first message must be Start"));
        };
        let mut descriptors = received.descriptors.into_iter();
        let (Some(connections), Some(settings)) = (descriptors.next(), descriptors.next()) else {
            return Err(io::Error::other("Start came without its descriptors"));
        };
        let App { routes, manager } =
            app::load(&api).ok_or_else(|| io::Error::other(format!("there is no app {api}")))?;
        let context = Self {
            routes,
            local,
            counters: Counters::default(),
            open: Arc::default(),
            logger: format!("nova.{api}.wsgi.server"),
            api,
            current: ArcSwap::from_pointee(build(settings, None)?),
            prepared: Mutex::new(None),
            phase: watch::Sender::new(Phase::Serving),
            closed: Notify::new(),
            orphaned: AtomicBool::new(false),
        };
        Ok(Begun {
            context: Arc::new(context),
            manager,
            connections: Channel::from(connections),
        })
    }

    /// Builds what new settings need, and changes nothing.
    pub fn prepare(&self, revision: u64, received: Received) -> io::Result<()> {
        let settings = received.descriptors.into_iter().next();
        let settings = settings.ok_or_else(|| io::Error::other("Prepare came without settings"))?;
        let built = build(settings, Some(&self.current()))?;
        *self.prepared.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((revision, Arc::new(built)));
        Ok(())
    }

    /// Uses what was prepared for every connection from now on.
    pub fn commit(&self, revision: u64) {
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, built)) = prepared.take_if(|(prepared, _)| *prepared == revision) {
            log::set(&built.settings.logging);
            self.current.store(built);
        }
    }

    /// What the worker is doing.
    pub fn report(&self) -> WorkerReport {
        WorkerReport {
            tasks: tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks(),
            ..self.open.report()
        }
    }

    /// What new connections are served with.
    pub fn current(&self) -> Arc<Current> {
        self.current.load_full()
    }

    /// How the worker logs.
    pub fn logging(&self) -> Logging {
        self.current.load().settings.logging.clone()
    }

    /// The logger of this API's requests: nova's `nova.<api>.wsgi.server`.
    pub fn logger(&self) -> &str {
        &self.logger
    }

    /// Name of the API.
    pub fn api(&self) -> &str {
        &self.api
    }

    /// Where the API listens, as nova's log gives it.
    pub fn url(&self) -> String {
        format!("{}://{}", self.current.load().scheme(), self.local)
    }

    /// Says and counts why a client is not served.
    pub fn refuse(&self, client: IpAddr, reason: Reason, why: &str) {
        self.counters.refused(reason);
        tracing::info!(logger = self.logger(), "{client} refused: {why}");
    }

    /// Where in its life the worker is, and what comes.
    pub fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Whether connections are kept as long as their clients like.
    pub fn keeps_connections(&self) -> bool {
        *self.phase.borrow() == Phase::Serving
    }

    /// Goes on to a later phase; never back to an earlier one.
    pub fn enter(&self, next: Phase) {
        self.phase.send_if_modified(|phase| {
            let later = !matches!((&*phase, next), (Phase::Finishing { .. }, Phase::LameDuck));
            if later {
                *phase = next;
            }
            later
        });
    }

    /// A connection was closed.
    pub fn connection_closed(&self) {
        self.counters.closed();
        self.closed.notify_waiters();
    }

    /// Resolves once no connection is open.
    pub async fn all_closed(&self) {
        loop {
            let closed = self.closed.notified();
            if self.counters.connections() == 0 {
                return;
            }
            closed.await;
        }
    }

    /// The parent is gone: finish what there is.
    pub fn become_orphan(&self, deadline: Instant) {
        self.orphaned.store(true, Relaxed);
        let deadline = Some(deadline);
        self.enter(Phase::Finishing { deadline });
    }

    /// Whether the parent is gone.
    pub fn orphaned(&self) -> bool {
        self.orphaned.load(Relaxed)
    }

    /// What the process ends with: an orphan ends with a failure, as nova's pipe watcher did.
    pub fn outcome(&self) -> ExitCode {
        if self.orphaned() {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}

/// Builds what a worker serves with. Handshakes go on as they did, and sessions are resumed, when nothing about TLS is
/// new.
fn build(sealed: OwnedFd, before: Option<&Current>) -> io::Result<Current> {
    let Sealed { settings, seed } = sealed::read(sealed)?;
    let same = before.filter(|before| before.settings.tls == settings.tls);
    let tls = match (same, &settings.tls) {
        (Some(before), _) => before.tls.clone(),
        (None, None) => None,
        (None, Some(material)) => {
            let config = material
                .parts()
                .and_then(|parts| parts.server_config(&seed))
                .map_err(io::Error::other)?;
            Some(TlsAcceptor::from(Arc::new(config)))
        }
    };
    let access_log = Format::of(&settings.http.access_log).map_err(io::Error::other)?;
    Ok(Current {
        settings,
        access_log,
        tls,
    })
}
