//! The hot-loop alarm: who notices that one object is written again and again with what was written before.
//!
//! Writes that differ are progress: a rollout may change a status a hundred times. The same content again within
//! minutes means that somebody else keeps changing it back, or that two operators disagree. A spec that changes makes
//! other content, and so begins anew.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

/// Repetitions of one content within [`WINDOW`] that are no alarm yet.
const TOLERATED: usize = 5;
/// How long a write is remembered.
const WINDOW: Duration = Duration::from_secs(600);

/// What is to be said of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Fine,
    /// It is one too many; `first` for the one that an alarm begins with.
    Hot {
        /// Whether it has not been said within the window.
        first: bool,
    },
}

/// The contents written lately.
#[derive(Debug, Default)]
pub struct Repeats {
    objects: HashMap<String, Lately>,
    swept: Option<Instant>,
}

#[derive(Debug, Default)]
struct Lately {
    writes: VecDeque<(u64, Instant)>,
    told: Option<Instant>,
}

impl Repeats {
    /// `object` is about to be written with the content that has this hash.
    pub fn note(&mut self, object: &str, content: u64, now: Instant) -> Verdict {
        self.sweep(now);
        let lately = self.objects.entry(object.to_owned()).or_default();
        lately.expire(now);
        let before = lately.writes.iter().filter(|(hash, _)| *hash == content);
        let repeated = before.count();
        lately.writes.push_back((content, now));
        if repeated <= TOLERATED {
            return Verdict::Fine;
        }
        let first = lately.told.is_none();
        lately.told = Some(lately.told.unwrap_or(now));
        Verdict::Hot { first }
    }

    /// Forgets objects that have not been written for long.
    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|swept| now < swept + WINDOW) {
            return;
        }
        self.swept = Some(now);
        self.objects.retain(|_, lately| {
            lately.expire(now);
            !lately.writes.is_empty()
        });
    }
}

impl Lately {
    fn expire(&mut self, now: Instant) {
        while self
            .writes
            .front()
            .is_some_and(|(_, at)| now >= *at + WINDOW)
        {
            self.writes.pop_front();
        }
        self.told = self.told.filter(|told| now < *told + WINDOW);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Verdicts on writes of one object, each a content after some seconds.
    fn verdicts(writes: impl IntoIterator<Item = (u64, u64)>) -> Vec<Verdict> {
        let (mut repeats, began) = (Repeats::default(), Instant::now());
        let mut at = began;
        let note = |(content, after): (u64, u64)| {
            at += Duration::from_secs(after);
            repeats.note("Service cloud/nova", content, at)
        };
        writes.into_iter().map(note).collect()
    }

    #[test]
    fn progress_is_no_loop() {
        let told = verdicts((0..1000).map(|content| (content, 1)));
        assert!(told.iter().all(|verdict| *verdict == Verdict::Fine));
    }

    #[test]
    fn the_same_again_and_again_is_told_once() {
        let told = verdicts((0..20).map(|_| (7, 10)));
        assert_eq!(told[..6], [Verdict::Fine; 6]);
        assert_eq!(told[6], Verdict::Hot { first: true });
        assert!(
            told[7..]
                .iter()
                .all(|verdict| *verdict == Verdict::Hot { first: false })
        );
    }

    #[test]
    fn going_to_and_fro_is_a_loop_too() {
        let told = verdicts((0..20).map(|turn| (turn % 2, 10)));
        assert!(told.contains(&Verdict::Hot { first: true }));
    }

    #[test]
    fn the_same_once_in_a_while_is_no_loop() {
        let told = verdicts((0..100).map(|_| (7, 150)));
        assert!(told.iter().all(|verdict| *verdict == Verdict::Fine));
    }

    #[test]
    fn what_is_not_written_any_more_is_forgotten() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        for object in 0..100 {
            repeats.note(&object.to_string(), 1, now);
        }
        repeats.note("last", 1, now + WINDOW);
        assert_eq!(repeats.objects.len(), 1);
    }
}
