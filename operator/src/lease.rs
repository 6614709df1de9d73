//! Which of several replicas acts: the one that holds a Lease.
//!
//! ```text
//! Lease ──read──► Record + Sight ──decide──► Step ──replace, with resourceVersion──► Lease
//!                                              └──► Gate: writes may begin for HOLD after a renewal began
//! ```
//!
//! A Lease cannot fence. What it lacks is made up for by time: no write begins later than [`HOLD`] after the last
//! renewal began, none takes longer than a request may, and nobody else leads earlier than [`DURATION`] after it saw
//! that renewal. A leader that cannot reach the API server stops writing and goes on trying; one that finds another
//! holder ends the program, for what it remembers may no longer be so.

pub mod decision;
pub mod gate;

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease as Object, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info, warn};

use self::decision::{Record, Sight, Step, decide};
use self::gate::Gate;
use crate::metrics::Metrics;

/// For how long an unchanged Lease counts.
pub const DURATION: Duration = Duration::from_secs(15);
/// For how long after a renewal began writes may begin: what is in flight then ends before anybody else may lead.
pub const HOLD: Duration = Duration::from_secs(10);
/// A leader renews this often.
const RENEW: Duration = Duration::from_secs(4);
/// A candidate looks this often at the latest.
const POLL: Duration = Duration::from_secs(2);
/// What failed is tried again after this long.
const RETRY: Duration = Duration::from_secs(1);
/// No request about the Lease may take longer.
const REQUEST: Duration = Duration::from_secs(3);

/// Somebody else leads: this program must end.
#[derive(Debug, thiserror::Error)]
#[error("the lease is lost to {holder}")]
pub struct Lost {
    /// Who leads now.
    pub holder: String,
}

/// A replica that leads or wants to.
pub struct Candidate {
    api: Api<Object>,
    name: String,
    me: String,
    gate: Gate,
    metrics: Metrics,
    seen: Option<(Record, Instant)>,
    leading: bool,
}

impl Candidate {
    /// `me` wants the Lease called `name` in `namespace`.
    pub fn new(
        client: Client,
        (namespace, name): (&str, &str),
        me: String,
        gate: Gate,
        metrics: Metrics,
    ) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            me,
            gate,
            metrics,
            seen: None,
            leading: false,
        }
    }

    /// Waits until this replica leads.
    pub async fn acquire(&mut self) {
        info!(lease = self.name, me = self.me, "wants to lead");
        loop {
            // A candidate cannot lose what it does not have.
            let again = self.turn().await.unwrap_or(POLL);
            if self.leading {
                return;
            }
            sleep(again).await;
        }
    }

    /// Renews until somebody else leads.
    pub async fn keep(&mut self) -> Lost {
        loop {
            sleep(RENEW).await;
            while let Err(fault) = self.renew().await {
                match fault {
                    Fault::Lost(lost) => {
                        self.leading = false;
                        self.gate.close();
                        self.metrics.leader(false);
                        return lost;
                    }
                    Fault::Later => sleep(RETRY).await,
                }
            }
        }
    }

    /// Gives the Lease back, so that nobody has to wait for its end.
    pub async fn release(mut self) {
        self.gate.close();
        self.metrics.leader(false);
        if !self.leading {
            return;
        }
        self.leading = false;
        match timeout(REQUEST, self.give_back()).await {
            Ok(Ok(())) => info!(lease = self.name, "gave the lease back"),
            Ok(Err(error)) => warn!(%error, "the lease was not given back"),
            Err(_) => warn!("the lease was not given back: no answer"),
        }
    }

    async fn give_back(&self) -> kube::Result<()> {
        let Some(mut lease) = self.api.get_opt(&self.name).await? else {
            return Ok(());
        };
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() == Some(self.me.as_str()) {
            spec.holder_identity = None;
            spec.renew_time = None;
            let params = PostParams::default();
            self.api.replace(&self.name, &params, &lease).await?;
        }
        Ok(())
    }

    async fn renew(&mut self) -> Result<(), Fault> {
        let again = self.turn().await.map_err(Fault::Lost)?;
        // While leading a turn asks for another one only when it failed.
        if again.is_zero() {
            Ok(())
        } else {
            Err(Fault::Later)
        }
    }

    /// One look and what follows from it; after how long to look again, at once being zero.
    async fn turn(&mut self) -> Result<Duration, Lost> {
        let began = Instant::now();
        match timeout(REQUEST, self.look(began)).await {
            Ok(Ok(Step::Lost { holder })) => Err(Lost { holder }),
            Ok(Ok(Step::Wait(left))) => Ok(left.min(POLL)),
            Ok(Ok(Step::Create | Step::Hold { .. })) => {
                self.gate.hold_until(began + HOLD);
                self.leading = true;
                self.metrics.leader(true);
                Ok(Duration::ZERO)
            }
            Ok(Err(kube::Error::Api(answer))) if answer.code == 409 => {
                debug!("somebody else wrote the lease");
                Ok(RETRY)
            }
            Ok(Err(error)) => {
                warn!(lease = self.name, %error, "the lease cannot be read or written");
                Ok(RETRY)
            }
            Err(_) => {
                warn!(lease = self.name, "no answer about the lease");
                Ok(RETRY)
            }
        }
    }

    /// Reads, decides and writes.
    async fn look(&mut self, began: Instant) -> kube::Result<Step> {
        let object = self.api.get_opt(&self.name).await?;
        let found = object.as_ref().map(record);
        if let Some(found) = &found
            && self.seen.as_ref().is_none_or(|(seen, _)| seen != found)
        {
            // It may be as young as its answer.
            self.seen = Some((found.clone(), Instant::now()));
        }
        let sight = self.seen.as_ref().map(|(record, since)| Sight {
            record: record.clone(),
            unchanged: began.saturating_duration_since(*since),
        });
        let step = decide(found.as_ref(), sight.as_ref(), &self.me, self.leading);
        let params = PostParams::default();
        match &step {
            Step::Create => {
                let mut lease = Object::default();
                lease.metadata.name = Some(self.name.clone());
                lease.spec = Some(self.held(None, 0, true));
                self.api.create(&params, &lease).await?;
                info!(lease = self.name, "leads, with a new lease");
            }
            Step::Hold { transitions, taken } => {
                let mut lease = object.unwrap_or_default();
                let spec = self.held(lease.spec.take(), *transitions, *taken);
                lease.spec = Some(spec);
                self.api.replace(&self.name, &params, &lease).await?;
                if *taken {
                    info!(lease = self.name, transitions, "leads");
                }
            }
            Step::Wait(_) | Step::Lost { .. } => {}
        }
        Ok(step)
    }

    fn held(&self, before: Option<LeaseSpec>, transitions: i32, taken: bool) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        let before = before.unwrap_or_default();
        let acquired = before.acquire_time.clone().filter(|_| !taken);
        LeaseSpec {
            holder_identity: Some(self.me.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: Some(acquired.unwrap_or_else(|| now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(transitions),
            ..before
        }
    }
}

enum Fault {
    Lost(Lost),
    Later,
}

fn record(lease: &Object) -> Record {
    let none = LeaseSpec::default();
    let spec = lease.spec.as_ref().unwrap_or(&none);
    let seconds = spec.lease_duration_seconds.filter(|seconds| *seconds > 0);
    Record {
        holder: spec.holder_identity.clone().filter(|who| !who.is_empty()),
        duration: seconds
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map_or(DURATION, Duration::from_secs),
        transitions: spec.lease_transitions.unwrap_or(0),
        renewed: spec.renew_time.as_ref().map(|time| time.0.to_string()),
    }
}
