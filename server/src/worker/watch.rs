//! Watches a connection: whether its client is late, and whether it is time to go.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use kilonova_config::Http;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until};

use super::activity::Activity;
use super::context::Context;
use super::patience::{Late, Patience};
use super::phase::Phase;
use crate::reason::Reason;

/// How often a connection that is to end is looked at.
const FINISHING_LOOK: Duration = Duration::from_millis(100);

/// What is to be done with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It takes no further request. Said once.
    Leave,
    /// It ends now, whatever is under way.
    Close,
}

pub struct Watch {
    context: Arc<Context>,
    activity: Arc<Activity>,
    patience: Patience,
    client: IpAddr,
    phases: watch::Receiver<Phase>,
    phase: Phase,
    /// When it is too old.
    age: Option<Instant>,
    told: bool,
    look: Pin<Box<Sleep>>,
}

impl Watch {
    pub fn new(
        context: &Arc<Context>,
        activity: &Arc<Activity>,
        http: &Http,
        client: IpAddr,
    ) -> Self {
        let mut phases = context.phase();
        let phase = *phases.borrow_and_update();
        let patience = Patience::of(http);
        let age = lifetime(http.max_connection_age_seconds).map(|age| Instant::now() + age);
        let first = patience
            .left(&activity.seen())
            .unwrap_or_default()
            .min(until(age));
        Self {
            context: Arc::clone(context),
            activity: Arc::clone(activity),
            patience,
            client,
            phases,
            phase,
            age,
            told: false,
            look: Box::pin(sleep_until(Instant::now() + first)),
        }
    }

    /// Resolves when something is to be done.
    pub async fn verdict(mut self) -> (Self, Verdict) {
        loop {
            tokio::select! {
                // In this order: to draw lots at every wake costs more than it brings.
                biased;
                changed = self.phases.changed() => {
                    self.phase = *self.phases.borrow_and_update();
                    if changed.is_err() {
                        return (self, Verdict::Close);
                    }
                    self.look.as_mut().reset(Instant::now());
                }
                () = self.activity.retirement() => self.look.as_mut().reset(Instant::now()),
                () = self.look.as_mut() => {
                    if let Some(verdict) = self.judge() {
                        return (self, verdict);
                    }
                }
            }
        }
    }

    fn judge(&mut self) -> Option<Verdict> {
        let seen = self.activity.seen();
        let left = match self.patience.left(&seen) {
            Ok(left) => left,
            Err(late) => {
                self.too_late(late);
                return Some(Verdict::Close);
            }
        };
        let deadline = self.phase.deadline();
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Some(Verdict::Close);
        }
        if self.age.is_some_and(|age| Instant::now() >= age) {
            self.activity.retire();
        }
        let retired = self.activity.retired();
        // HTTP/2 has a word for it (GOAWAY); on HTTP/1 the answers say it, and nothing is closed on a request.
        let leave = (retired || self.phase != Phase::Serving) && self.activity.is_http2()
            || (retired || matches!(self.phase, Phase::Finishing { .. })) && seen.quiet();
        let next = if retired || self.phase != Phase::Serving {
            left.min(FINISHING_LOOK)
        } else {
            left.min(until(self.age))
        };
        self.look.as_mut().reset(Instant::now() + next);
        (leave && !std::mem::replace(&mut self.told, leave)).then_some(Verdict::Leave)
    }

    fn too_late(&self, late: Late) {
        match late {
            Late::Idle => tracing::debug!(
                logger = self.context.logger(),
                "({}) timed out",
                std::process::id()
            ),
            Late::Owing(reason) => {
                self.context.counters.refused(reason);
                let what = match reason {
                    Reason::HeadTimeout => "no end of a request's head",
                    Reason::AnswerTimeout => "an answer that is not read",
                    _ => "no end of a request's body",
                };
                tracing::info!(
                    logger = self.context.logger(),
                    "{} timed out: {what}",
                    self.client
                );
            }
        }
    }
}

fn until(age: Option<Instant>) -> Duration {
    age.map_or(Duration::MAX, |age| {
        age.saturating_duration_since(Instant::now())
    })
}

/// `maxConnectionAgeSeconds`, give or take a tenth, so that what began together does not end together.
fn lifetime(seconds: u32) -> Option<Duration> {
    let random = RandomState::new().hash_one(seconds) % 2001;
    (seconds > 0).then(|| {
        let thousandths = 9000 + random;
        Duration::from_millis(u64::from(seconds) * thousandths / 10)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_that_began_together_do_not_end_together() {
        assert_eq!(lifetime(0), None);
        let ages: Vec<_> = (0..50).filter_map(|_| lifetime(100)).collect();
        let range = Duration::from_secs(90)..=Duration::from_secs(110);
        assert!(ages.iter().all(|age| range.contains(age)), "{ages:?}");
        assert!(ages.iter().any(|age| *age != ages[0]));
    }
}
