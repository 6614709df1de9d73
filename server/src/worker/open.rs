//! The connections a worker holds: what a report lists, and which of them can be done without.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::activity::Activity;
use crate::report::{ConnectionReport, LISTED_CONNECTIONS, WorkerReport};

/// A connection must have been quiet for so long to be closed in favour of one that waits: its client may be about
/// to use it.
const QUIET: Duration = Duration::from_secs(1);

/// The open connections, by the order of their arrival.
#[derive(Debug, Default)]
pub struct OpenConnections {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    next: u64,
    connections: BTreeMap<u64, (SocketAddr, Arc<Activity>)>,
}

impl OpenConnections {
    /// Notes a connection for as long as the returned guard lives.
    pub fn enter(self: &Arc<Self>, peer: SocketAddr, activity: &Arc<Activity>) -> Entered {
        let mut held = self.held();
        held.next += 1;
        let number = held.next;
        held.connections
            .insert(number, (peer, Arc::clone(activity)));
        Entered {
            all: Arc::clone(self),
            number,
        }
    }

    /// Asks the connection that has been idle for the longest to close; false when none has been for a while, or one
    /// that was asked is about to.
    pub fn shed(&self) -> bool {
        let held = self.held();
        let closes = |activity: &Activity| activity.retired() && activity.seen().in_flight == 0;
        if held
            .connections
            .values()
            .any(|(_, activity)| closes(activity))
        {
            return false;
        }
        let idle = held.connections.values().filter_map(|(_, activity)| {
            let seen = activity.seen();
            let idle = seen.in_flight == 0 && seen.head.is_none() && seen.idle >= QUIET;
            idle.then_some((seen.idle, activity))
        });
        let longest = idle.max_by_key(|(idle, _)| *idle);
        if let Some((_, activity)) = &longest {
            activity.retire();
        }
        longest.is_some()
    }

    /// What a report says of them.
    pub fn report(&self) -> WorkerReport {
        let held = self.held();
        let listed = held.connections.values().take(LISTED_CONNECTIONS);
        let connections: Vec<_> = listed
            .map(|(peer, activity)| {
                let seen = activity.seen();
                ConnectionReport {
                    peer: peer.ip(),
                    http2: activity.is_http2(),
                    age: activity.age().as_secs(),
                    idle: seen.idle.as_secs(),
                    in_flight: seen.in_flight,
                }
            })
            .collect();
        WorkerReport {
            tasks: 0,
            more: held.connections.len() - connections.len(),
            connections,
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is open.
#[derive(Debug)]
pub struct Entered {
    all: Arc<OpenConnections>,
    number: u64,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.all.held().connections.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 1000))
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_one_is_done_without() {
        let open = Arc::new(OpenConnections::default());
        let (busy, old, young) = (
            Arc::new(Activity::new()),
            Arc::new(Activity::new()),
            Arc::new(Activity::new()),
        );
        let entered = [&busy, &old, &young].map(|activity| open.enter(peer(1), activity));
        busy.began(false);
        assert!(!open.shed(), "none has been idle for a while");
        tokio::time::advance(Duration::from_secs(2)).await;
        young.read(1);
        young.began(false);
        young.answered(tokio::time::Instant::now());
        assert!(open.shed());
        assert_eq!(
            [&busy, &old, &young].map(|one| one.retired()),
            [false, true, false]
        );
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!open.shed(), "the first one is still there");
        let [_busy, old_one, _young] = entered;
        drop(old_one);
        assert!(open.shed());
        assert!(young.retired());
    }

    #[tokio::test(start_paused = true)]
    async fn a_report_lists_the_oldest() {
        let open = Arc::new(OpenConnections::default());
        let activity = Arc::new(Activity::new());
        let entered: Vec<_> = (0..=LISTED_CONNECTIONS)
            .map(|_| open.enter(peer(7), &activity))
            .collect();
        tokio::time::advance(Duration::from_secs(3)).await;
        let report = open.report();
        assert_eq!(
            (report.connections.len(), report.more),
            (LISTED_CONNECTIONS, 1)
        );
        assert_eq!(
            (report.connections[0].age, report.connections[0].idle),
            (3, 3)
        );
        drop(entered);
        assert_eq!(open.report().connections, []);
    }
}
