//! What all connections of a worker share.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use axum::Router;
use http::uri::Scheme;
use kilonova_config::Logging;
use kilonova_tls::{Authorities, ClientAuth, Pair, server_config};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::phase::Phase;
use crate::app;
use crate::channel::{Channel, Received, sealed};
use crate::counters::Counters;
use crate::log;
use crate::message::{Settings, TlsMaterial, ToWorker};

/// Settings, and what was built from them.
pub struct Current {
    pub settings: Settings,
    pub tls: Option<TlsAcceptor>,
}

/// What all connections of a worker share.
pub struct Context {
    pub router: Router,
    pub local: SocketAddr,
    pub counters: Counters,
    logger: String,
    current: ArcSwap<Current>,
    prepared: Mutex<Option<(u64, Arc<Current>)>>,
    phase: watch::Sender<Phase>,
    closed: Notify,
    orphaned: AtomicBool,
}

impl Context {
    /// Builds everything the first message asks for; returns the channel for connections beside it.
    pub fn start(message: ToWorker, received: Received) -> io::Result<(Arc<Self>, Channel)> {
        let ToWorker::Start { api, local } = message else {
            return Err(io::Error::other("the first message must be Start"));
        };
        let mut descriptors = received.descriptors.into_iter();
        let (Some(connections), Some(settings)) = (descriptors.next(), descriptors.next()) else {
            return Err(io::Error::other("Start came without its descriptors"));
        };
        let router =
            app::load(&api).ok_or_else(|| io::Error::other(format!("there is no app {api}")))?;
        let context = Self {
            router,
            local,
            counters: Counters::default(),
            logger: format!("nova.{api}.wsgi.server"),
            current: ArcSwap::from_pointee(build(settings)?),
            prepared: Mutex::new(None),
            phase: watch::Sender::new(Phase::Serving),
            closed: Notify::new(),
            orphaned: AtomicBool::new(false),
        };
        Ok((Arc::new(context), Channel::from(connections)))
    }

    /// Builds what new settings need, and changes nothing.
    pub fn prepare(&self, revision: u64, received: Received) -> io::Result<()> {
        let settings = received.descriptors.into_iter().next();
        let built =
            build(settings.ok_or_else(|| io::Error::other("Prepare came without settings"))?)?;
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

    /// `http` or `https`.
    pub fn scheme(&self) -> Scheme {
        if self.current.load().tls.is_some() {
            Scheme::HTTPS
        } else {
            Scheme::HTTP
        }
    }

    /// Where the API listens, as nova's log gives it.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme(), self.local)
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

fn build(settings: OwnedFd) -> io::Result<Current> {
    let settings: Settings = sealed::read(settings)?;
    let tls = settings.tls.as_ref().map(acceptor).transpose()?;
    Ok(Current { settings, tls })
}

fn acceptor(material: &TlsMaterial) -> io::Result<TlsAcceptor> {
    let pair = Pair::parse(material.certificate.as_bytes(), material.key.as_bytes())
        .map_err(io::Error::other)?;
    let clients = material.clients.as_ref().map(|(authorities, required)| {
        Authorities::parse(authorities.as_bytes())
            .map(|authorities| ClientAuth {
                authorities,
                required: *required,
            })
            .map_err(io::Error::other)
    });
    let config = server_config(&pair, clients.transpose()?.as_ref()).map_err(io::Error::other)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
