//! A whole operator: watches, queue and lease against the API server in memory, in paused time.

use std::sync::Arc;
use std::time::Duration;

use kilonova_operator::controller::{self, Scope};
use kilonova_operator::lease::gate::Gate;
use kilonova_operator::lease::{Candidate, Lost};
use kilonova_operator::metrics::Metrics;
use kilonova_operator::reconcile::Context;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::apiserver::ApiServer;
use crate::world::context_of;

pub struct Operator {
    pub gate: Gate,
    pub context: Arc<Context>,
    stop: CancellationToken,
    work: JoinHandle<()>,
    keeper: Option<JoinHandle<(Option<Lost>, Candidate)>>,
}

impl Operator {
    /// One that is alone.
    pub fn start(server: &ApiServer) -> Self {
        Self::launch(server, Gate::open(), Metrics::new().unwrap(), None)
    }

    /// One that waits for the lease first.
    pub async fn elected(server: &ApiServer, me: &str) -> Self {
        let (gate, metrics) = (Gate::closed(), Metrics::new().unwrap());
        let mut candidate = candidate(server, me, &gate, &metrics);
        candidate.acquire().await;
        Self::launch(server, gate, metrics, Some(candidate))
    }

    fn launch(
        server: &ApiServer,
        gate: Gate,
        metrics: Metrics,
        candidate: Option<Candidate>,
    ) -> Self {
        let client = server.client_through(gate.clone(), metrics.clone());
        let context = Arc::new(context_of(client.clone(), metrics));
        let stop = CancellationToken::new();
        let keeper = candidate.map(|mut candidate| {
            let stop = stop.clone();
            tokio::spawn(async move {
                let lost = tokio::select! {
                    lost = candidate.keep() => Some(lost),
                    () = stop.cancelled() => None,
                };
                (lost, candidate)
            })
        });
        let work = tokio::spawn({
            let (context, stop) = (Arc::clone(&context), stop.clone());
            async move { controller::run(&client, &Scope::Cluster, context, stop).await }
        });
        Self {
            gate,
            context,
            stop,
            work,
            keeper,
        }
    }

    /// Lets so much time pass.
    pub async fn quiet(&self, time: Duration) {
        let never = std::future::pending::<()>();
        timeout(time, never).await.unwrap_err();
    }

    /// It is told to stop, and does.
    pub async fn stop(self) {
        self.stop.cancel();
        self.work.await.unwrap();
        if let Some(keeper) = self.keeper {
            keeper.await.unwrap().1.release().await;
        }
    }

    /// It ends at once and says nothing.
    pub fn kill(self) {
        self.work.abort();
        if let Some(keeper) = self.keeper {
            keeper.abort();
        }
    }

    /// Waits until it notices that somebody else leads.
    pub async fn lost(self) -> String {
        let (lost, _) = self.keeper.unwrap().await.unwrap();
        self.work.abort();
        lost.unwrap().holder
    }
}

/// Somebody who wants the lease `kilonova/operator`.
pub fn candidate(server: &ApiServer, me: &str, gate: &Gate, metrics: &Metrics) -> Candidate {
    let client = server.client_through(gate.clone(), metrics.clone());
    let lease = ("kilonova", "operator");
    Candidate::new(client, lease, me.to_owned(), gate.clone(), metrics.clone())
}

impl ApiServer {
    /// Who holds the lease.
    pub fn holder(&self) -> Option<String> {
        let lease = self.get("leases", "operator")?;
        lease["spec"]["holderIdentity"].as_str().map(str::to_owned)
    }
}
