//! The operator's program.

// Comments of arguments are what --help prints: plain text.
#![allow(clippy::doc_markdown)]

use std::pin::pin;
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::{env, fs};

use anyhow::Context as _;
use clap::{ArgAction, Args, Parser, Subcommand};
use kilonova_operator::cluster::{Cluster, traffic};
use kilonova_operator::controller::{self, Scope};
use kilonova_operator::desired::Release;
use kilonova_operator::lease::Candidate;
use kilonova_operator::lease::gate::Gate;
use kilonova_operator::memory::Memory;
use kilonova_operator::metrics::Metrics;
use kilonova_operator::probes::{self, Readiness};
use kilonova_operator::reconcile::Context;
use kilonova_operator::{Signals, api, names};
use kube::{Client, Config};
use tokio::sync::oneshot;
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
    /// Whether several replicas agree by a Lease on the one that acts.
    #[arg(long, env = "KILONOVA_LEADER_ELECT")]
    leader_elect: bool,
    /// Name of that Lease.
    #[arg(long, env = "KILONOVA_LEASE_NAME", default_value = names::OPERATOR)]
    lease_name: String,
    /// Its namespace; absent: the operator's own, or that of the kubeconfig's context.
    #[arg(long, env = "POD_NAMESPACE")]
    lease_namespace: Option<String>,
    /// Whether running pods are annotated, so that their kubelets look at new settings at once. Needs the right to patch
    /// pods; without it new settings arrive within a minute or two.
    #[arg(long, env = "KILONOVA_REFRESH_PODS", action = ArgAction::Set, default_value_t = true)]
    refresh_pods: bool,
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
    let config = Config::infer()
        .await
        .context("cannot find the API server")?;
    let gate = if arguments.leader_elect {
        Gate::closed()
    } else {
        Gate::open()
    };
    let client = traffic::client(config, gate.clone(), metrics.clone())
        .context("cannot talk to the API server")?;
    info!(version = env!("CARGO_PKG_VERSION"), "starting");

    let readiness = Readiness::default();
    let ended = CancellationToken::new();
    let served = tokio::spawn(probes::serve(
        listener,
        metrics.clone(),
        readiness.clone(),
        ended.clone(),
    ));
    let candidate = arguments
        .leader_elect
        .then(|| candidate(&arguments, client.clone(), gate, metrics.clone()));
    let looked_after = look_after(arguments, client, metrics, readiness, candidate, &stop).await;
    ended.cancel();
    match served.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => error!(%error, "the probes' listener failed"),
        Err(error) => error!(%error, "the probes' task failed"),
    }
    info!("stopped");
    looked_after
}

/// Waits for something to look after and for the lead, and looks after it until `stop`. A lost lease is an error: the
/// program ends, and starts anew with nothing in its memory.
async fn look_after(
    arguments: Run,
    client: Client,
    metrics: Metrics,
    readiness: Readiness,
    candidate: Option<Candidate>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let scope = arguments
        .watch_namespace
        .map_or(Scope::Cluster, Scope::Namespace);
    tokio::select! {
        () = stop.cancelled() => return Ok(()),
        () = controller::wait_for_definition(&client, &scope, &metrics) => {}
    }
    // One that waits for the lead is ready too: else a rollout that replaces the leader would not end.
    readiness.reached();
    let cluster = Cluster::new(client.clone(), metrics.clone());
    let namespace = own_namespace(arguments.lease_namespace, &client);
    let context = Arc::new(Context {
        cluster: cluster.refreshing(arguments.refresh_pods),
        release: Release {
            server_image: arguments.server_image,
            namespace,
        },
        memory: Memory::default(),
    });
    let work = async {
        info!(?scope, "watching");
        let checked = controller::check_definition(&client, &metrics);
        let worked = controller::run(&client, &scope, context, stop.clone());
        let ((), ()) = tokio::join!(worked, until(stop, checked));
    };
    let Some(mut candidate) = candidate else {
        metrics.leader(true);
        work.await;
        return Ok(());
    };
    tokio::select! {
        () = stop.cancelled() => return Ok(()),
        () = candidate.acquire() => {}
    }
    let kept = {
        // On a task of its own: work that keeps a thread busy must not delay a renewal.
        let (back, returned) = oneshot::channel();
        let stopped = CancellationToken::new();
        let keeper = stopped.clone();
        tokio::spawn(async move {
            let lost = tokio::select! {
                lost = candidate.keep() => Some(lost),
                () = keeper.cancelled() => None,
            };
            // Nobody waits for it only when the program ends anyway.
            let _ = back.send((lost, candidate));
        });
        let mut returned = returned;
        let mut work = pin!(work);
        tokio::select! {
            kept = &mut returned => kept,
            () = &mut work => {
                stopped.cancel();
                returned.await
            }
        }
    };
    match kept {
        Ok((None, candidate)) => candidate.release().await,
        Ok((Some(lost), _)) => return Err(lost.into()),
        Err(_) => anyhow::bail!("the task that keeps the lease failed"),
    }
    Ok(())
}

fn candidate(arguments: &Run, client: Client, gate: Gate, metrics: Metrics) -> Candidate {
    let namespace = own_namespace(arguments.lease_namespace.clone(), &client);
    // The name of a pod is never used twice at a time: whoever finds its own name was restarted.
    let me = env::var("POD_NAME").unwrap_or_else(|_| {
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        format!("{}-{}", host.trim(), process::id())
    });
    let lease = (namespace.as_str(), arguments.lease_name.as_str());
    Candidate::new(client, lease, me, gate, metrics)
}

/// The namespace the operator runs in: as the pod says, else as its account or the kubeconfig does.
fn own_namespace(said: Option<String>, client: &Client) -> String {
    said.unwrap_or_else(|| client.default_namespace().to_owned())
}

async fn until(stop: &CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}
