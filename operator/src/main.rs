//! The operator's program.

// Comments of arguments are what --help prints: plain text.
#![allow(clippy::doc_markdown)]

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use kilonova_operator::cluster::Cluster;
use kilonova_operator::controller::{self, Scope};
use kilonova_operator::desired::Release;
use kilonova_operator::memory::Memory;
use kilonova_operator::metrics::Metrics;
use kilonova_operator::probes::{self, Readiness};
use kilonova_operator::reconcile::Context;
use kilonova_operator::{Signals, api};
use kube::Client;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Runs OpenStack's compute API on Kubernetes.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Looks after ApiServices until told to stop.
    Run(Run),
    /// Prints the CustomResourceDefinition.
    Crd,
}

#[derive(Args)]
struct Run {
    /// Image of the server, for ApiServices that name none.
    #[arg(long, env = "KILONOVA_SERVER_IMAGE", default_value = concat!("kilonova/server:", env!("CARGO_PKG_VERSION")))]
    server_image: String,
    /// The one namespace to look after; all of them if absent.
    #[arg(long, env = "KILONOVA_WATCH_NAMESPACE")]
    watch_namespace: Option<String>,
    /// Port of /livez, /readyz and /metrics.
    #[arg(long, env = "KILONOVA_METRICS_PORT", default_value_t = 8080)]
    metrics_port: u16,
    /// What is logged: a level, or levels for targets, such as info,kilonova_operator=debug.
    #[arg(long, env = "RUST_LOG", default_value = "info")]
    log: Targets,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Crd => print_definition(),
        Command::Run(arguments) => start(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kilonova-operator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn print_definition() -> anyhow::Result<()> {
    print!("{}", serde_yaml::to_string(&api::definition())?);
    Ok(())
}

fn start(arguments: Run) -> anyhow::Result<()> {
    tracing_subscriber::registry()
        .with(layer().json().flatten_event(true).with_span_list(false))
        .with(quiet(arguments.log.clone()))
        .init();
    // An error means that there is one already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(run(arguments))
}

/// kube's client logs every failed request; what comes of it is told once, where it matters.
fn quiet(log: Targets) -> Targets {
    if log.to_string().contains("kube_client") {
        log
    } else {
        log.with_target("kube_client", LevelFilter::OFF)
    }
}

async fn run(arguments: Run) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    Signals::install()
        .context("cannot handle signals")?
        .cancel(stop.clone());
    let metrics = Metrics::new().context("cannot register metrics")?;
    let listener = probes::bind(arguments.metrics_port)
        .await
        .with_context(|| format!("cannot listen on port {}", arguments.metrics_port))?;
    let client = Client::try_default()
        .await
        .context("cannot find the API server")?;
    let scope = arguments
        .watch_namespace
        .map_or(Scope::Cluster, Scope::Namespace);
    let context = Arc::new(Context {
        cluster: Cluster::new(client.clone(), metrics.clone()),
        release: Release {
            server_image: arguments.server_image,
            namespace: client.default_namespace().to_owned(),
        },
        memory: Memory::default(),
    });
    info!(version = env!("CARGO_PKG_VERSION"), ?scope, "starting");

    let readiness = Readiness::default();
    let served = tokio::spawn(probes::serve(
        listener,
        metrics,
        readiness.clone(),
        stop.clone(),
    ));
    tokio::select! {
        () = stop.cancelled() => return Ok(()),
        () = controller::wait_for_definition(&client, &scope) => {}
    }
    readiness.reached();
    info!("watching");
    controller::run(client, &scope, context, stop.clone()).await;
    stop.cancel();
    match served.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => error!(%error, "the probes' listener failed"),
        Err(error) => error!(%error, "the probes' task failed"),
    }
    info!("stopped");
    Ok(())
}
