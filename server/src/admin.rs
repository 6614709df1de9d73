//! The admin port: probes, metrics and status, answered by the supervisor, so that an overloaded API stays alive.

use std::fmt::Write;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use kilonova_config::Admin;
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use crate::supervisor::{Event, View};
use crate::{listen, metrics};

/// How long the supervisor's loop may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Probes and scrapers are few.
const BACKLOG: i32 = 128;

/// Binds and opens the port: on all addresses of both families where there are two.
pub fn bind(admin: &Admin) -> io::Result<TcpListener> {
    let v4 = if admin.loopback {
        Ipv4Addr::LOCALHOST
    } else {
        Ipv4Addr::UNSPECIFIED
    };
    let v4 = SocketAddr::from((v4, admin.port));
    let both = SocketAddr::from((Ipv6Addr::UNSPECIFIED, admin.port));
    let bound = if admin.loopback {
        listen::bind(v4)
    } else {
        match listen::bind(both) {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => listen::bind(v4),
            bound => bound,
        }
    };
    let socket =
        bound.map_err(|error| io::Error::other(format!("admin.port {}: {error}", admin.port)))?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from_std(socket.into())?;
    tracing::info!("admin listening on {}", listener.local_addr()?);
    Ok(listener)
}

/// Answers until the process ends.
pub async fn serve(listener: TcpListener, events: UnboundedSender<Event>) {
    let routes = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/startupz", get(startupz))
        .route("/status", get(status))
        .route("/metrics", get(metrics))
        .with_state(events);
    if let Err(error) = axum::serve(listener, routes).await {
        tracing::error!("admin port: {error}");
    }
}

type Supervisor = State<UnboundedSender<Event>>;

/// The supervisor's loop answers.
async fn livez(supervisor: Supervisor) -> Response {
    probe(ask(supervisor).await, |_| true)
}

/// Every API is served, and the pod is not about to stop. Neither the database nor load has a say: they would make
/// every pod unready at once.
async fn readyz(supervisor: Supervisor) -> Response {
    probe(ask(supervisor).await, |view| view.ready)
}

/// Every API has had a ready worker once.
async fn startupz(supervisor: Supervisor) -> Response {
    probe(ask(supervisor).await, |view| view.started)
}

async fn status(supervisor: Supervisor) -> Response {
    match ask(supervisor).await {
        Some(view) => Json(view.status).into_response(),
        None => silent(),
    }
}

async fn metrics(supervisor: Supervisor) -> Response {
    match ask(supervisor).await.map(|view| metrics::text(&view)) {
        Some(Ok(text)) => ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Some(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        None => silent(),
    }
}

async fn ask(State(events): Supervisor) -> Option<View> {
    let (answer, view) = oneshot::channel();
    events.send(Event::Ask(answer)).ok()?;
    tokio::time::timeout(PATIENCE, view).await.ok()?.ok()
}

fn probe(view: Option<View>, good: impl FnOnce(&View) -> bool) -> Response {
    match view {
        Some(view) if good(&view) => "ok\n".into_response(),
        Some(view) => (StatusCode::SERVICE_UNAVAILABLE, why_not(&view)).into_response(),
        None => silent(),
    }
}

fn silent() -> Response {
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "the supervisor does not answer\n",
    )
        .into_response()
}

fn why_not(view: &View) -> String {
    let mut lines = format!("{:?}\n", view.status.state);
    let database = view.status.database.as_ref();
    if let Some(error) = database.and_then(|database| database.error.as_ref()) {
        let _ = writeln!(lines, "database: {error}");
    }
    for api in &view.status.apis {
        if let Some(reason) = &api.failing {
            let _ = writeln!(lines, "{}: {reason}", api.name);
        }
    }
    lines
}
