//! Who gets the next connection: pure bookkeeping over what workers were given and what they reported.

use crate::channel::handover::Report;

/// The most connections a worker may have been handed and not yet taken charge of: a worker that hangs must not
/// collect clients.
pub const UNACKNOWLEDGED: u64 = 8;

/// One worker as the accepting thread knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Connections it was given.
    pub given: u64,
    /// When it was last given one, as a count over all workers.
    pub last: u64,
    /// What it last said of itself.
    pub report: Report,
    /// Its channel is full.
    pub full: bool,
    /// It has not answered for a while.
    pub silent: bool,
    /// It is to finish what it has.
    pub retiring: bool,
}

impl Load {
    /// Connections it holds, or is about to hold.
    pub fn connections(&self) -> u64 {
        self.given.saturating_sub(self.report.closed)
    }

    /// Whether it may get another connection.
    pub fn takes(&self, most_connections: u64) -> bool {
        !self.full
            && !self.silent
            && !self.retiring
            && self.given.saturating_sub(self.report.acknowledged) < UNACKNOWLEDGED
            && self.connections() < most_connections
    }

    /// Whether it would get another connection if only it had fewer.
    pub fn saturated(&self, most_connections: u64) -> bool {
        !self.silent && !self.retiring && self.connections() >= most_connections
    }

    /// Notes a report. Totals never go back, whatever order messages are read in.
    pub fn note(&mut self, report: Report) {
        self.report = Report {
            acknowledged: self.report.acknowledged.max(report.acknowledged),
            closed: self.report.closed.max(report.closed),
            in_flight: report.in_flight,
        };
    }
}

/// The worker for the next connection: fewest connections, then fewest requests in flight, then the one whose turn is
/// longest ago, so that connections that come one after another are shared too. `None` when nobody may get one: then the
/// supervisor stops accepting.
pub fn choose<'a, K: Copy>(
    workers: impl Iterator<Item = (K, &'a Load)>,
    most_connections: u64,
) -> Option<K> {
    workers
        .filter(|(_, load)| load.takes(most_connections))
        .min_by_key(|(_, load)| (load.connections(), load.report.in_flight, load.last))
        .map(|(key, _)| key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn load(given: u64, acknowledged: u64, closed: u64, in_flight: u64) -> Load {
        Load {
            given,
            report: Report {
                acknowledged,
                closed,
                in_flight,
            },
            ..Load::default()
        }
    }

    #[rstest]
    #[case::nobody(&[], None)]
    #[case::first_of_equals(&[load(1, 1, 0, 0), load(1, 1, 0, 0)], Some(0))]
    #[case::fewest_connections(&[load(5, 5, 0, 0), load(9, 9, 5, 7)], Some(1))]
    #[case::then_fewest_requests(&[load(2, 2, 0, 2), load(2, 2, 0, 1)], Some(1))]
    #[case::then_the_longest_ago(&[Load { last: 8, ..load(1, 1, 1, 0) }, Load { last: 7, ..load(9, 9, 9, 0) }], Some(1))]
    #[case::not_one_that_hangs(&[load(8, 0, 0, 0), load(90, 90, 0, 0)], Some(1))]
    #[case::not_one_at_its_limit(&[load(100, 100, 0, 0)], None)]
    #[case::one_below_its_limit(&[load(100, 100, 1, 0)], Some(0))]
    #[case::not_a_silent_one(&[Load { silent: true, ..Load::default() }, load(3, 3, 0, 0)], Some(1))]
    #[case::not_a_retiring_one(&[Load { retiring: true, ..Load::default() }], None)]
    #[case::not_a_full_one(&[Load { full: true, ..Load::default() }], None)]
    fn the_least_loaded_is_chosen(#[case] workers: &[Load], #[case] expected: Option<usize>) {
        assert_eq!(choose(workers.iter().enumerate(), 100), expected);
    }

    #[test]
    fn sixteen_connections_over_two_workers_are_eight_and_eight() {
        let mut workers = [Load::default(), Load::default()];
        for _ in 0..16 {
            let chosen = choose(workers.iter().enumerate(), 1000).unwrap();
            workers[chosen].given += 1;
            let acknowledged = workers[chosen].given;
            workers[chosen].note(Report {
                acknowledged,
                ..Report::default()
            });
        }
        assert_eq!(workers.map(|worker| worker.connections()), [8, 8]);
    }

    #[test]
    fn totals_never_go_back() {
        let mut worker = load(9, 9, 4, 0);
        worker.note(Report {
            acknowledged: 7,
            closed: 3,
            in_flight: 1,
        });
        assert_eq!((worker.report.acknowledged, worker.connections()), (9, 5));
    }
}
