//! Taking over changed files without losing a connection: all of them or none, in every worker or in none.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use kilonova_tls::TicketSeed;

use super::accept::WorkerId;
use super::plan::Plan;

/// Seconds a worker has to prepare; one that takes longer is replaced by one that starts with the new settings.
const PATIENCE: u32 = 5;

/// A reload that workers are preparing.
#[derive(Debug)]
pub struct Reload {
    /// Its number.
    pub revision: u64,
    /// What is to be done from then on.
    pub plan: Plan,
    /// The same as its workers are told, one for each API that was started.
    pub prepared: Vec<Prepared>,
    asked: BTreeSet<WorkerId>,
    waiting: BTreeSet<WorkerId>,
    seconds: u32,
}

/// What the workers of an API are told.
#[derive(Debug)]
pub struct Prepared {
    /// The settings, sealed.
    pub sealed: OwnedFd,
    /// The tickets that go with them.
    pub seed: TicketSeed,
}

/// Where a reload stands.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Workers are still preparing.
    Wait,
    /// Every worker that will is prepared; these did not in time.
    Commit(Vec<WorkerId>),
    /// A worker cannot: everything old stays.
    Refuse(String),
}

impl Reload {
    /// A reload that waits for these workers.
    pub fn new(
        revision: u64,
        plan: Plan,
        prepared: Vec<Prepared>,
        workers: impl Iterator<Item = WorkerId>,
    ) -> Self {
        let asked: BTreeSet<_> = workers.collect();
        Self {
            revision,
            plan,
            prepared,
            waiting: asked.clone(),
            asked,
            seconds: 0,
        }
    }

    /// Whether a worker was asked to prepare; one that was started since was not.
    pub fn asked(&self, worker: WorkerId) -> bool {
        self.asked.contains(&worker)
    }

    /// Where it stands before anybody has answered: with nobody to ask it is done.
    pub fn first_step(&self) -> Step {
        self.step()
    }

    /// A worker has prepared, or could not.
    pub fn prepared(&mut self, worker: WorkerId, revision: u64, error: Option<String>) -> Step {
        if revision != self.revision || !self.waiting.remove(&worker) {
            return Step::Wait;
        }
        match error {
            Some(error) => Step::Refuse(error),
            None => self.step(),
        }
    }

    /// A worker is gone; its successor starts with whatever holds then.
    pub fn gone(&mut self, worker: WorkerId) -> Step {
        self.waiting.remove(&worker);
        self.step()
    }

    /// A second has passed.
    pub fn tick(&mut self) -> Step {
        self.seconds += 1;
        self.step()
    }

    fn step(&self) -> Step {
        if self.waiting.is_empty() {
            Step::Commit(Vec::new())
        } else if self.seconds >= PATIENCE {
            Step::Commit(self.waiting.iter().copied().collect())
        } else {
            Step::Wait
        }
    }
}

/// What a file system says of files, enough to see that one was changed or replaced. A mounted Secret is a link to
/// a link that is swapped: the file behind it is another one then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamps(Vec<Option<Stamp>>);

/// Device, inode, seconds and nanoseconds of the last change, size.
type Stamp = (u64, u64, i64, i64, u64);

impl Stamps {
    /// The files as they are now.
    pub fn of(files: &[PathBuf]) -> Self {
        let stamp = |file: &PathBuf| {
            let file = fs::metadata(file).ok()?;
            Some((
                file.dev(),
                file.ino(),
                file.mtime(),
                file.mtime_nsec(),
                file.size(),
            ))
        };
        Self(files.iter().map(stamp).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::plan::Source;

    #[test]
    fn one_that_was_started_since_was_not_asked() {
        assert_eq!((reload().asked(2), reload().asked(3)), (true, false));
        let alone = Reload::new(
            1,
            Source::Embedded.plan().unwrap(),
            Vec::new(),
            [].into_iter(),
        );
        assert_eq!(alone.first_step(), Step::Commit(vec![]));
    }

    fn reload() -> Reload {
        Reload::new(
            7,
            Source::Embedded.plan().unwrap(),
            Vec::new(),
            [1, 2].into_iter(),
        )
    }

    #[test]
    fn it_commits_once_all_have_prepared() {
        let mut reload = reload();
        assert_eq!(reload.prepared(1, 7, None), Step::Wait);
        assert_eq!(reload.prepared(2, 7, None), Step::Commit(vec![]));
    }

    #[test]
    fn one_that_cannot_refuses_for_all() {
        let mut reload = reload();
        assert_eq!(
            reload.prepared(1, 7, Some("no".to_owned())),
            Step::Refuse("no".to_owned())
        );
    }

    #[test]
    fn answers_to_an_earlier_attempt_do_not_count() {
        assert_eq!(reload().prepared(1, 6, Some("old".to_owned())), Step::Wait);
    }

    #[test]
    fn one_that_dies_is_not_waited_for() {
        let mut reload = reload();
        assert_eq!(reload.gone(1), Step::Wait);
        assert_eq!(reload.prepared(2, 7, None), Step::Commit(vec![]));
    }

    #[test]
    fn one_that_hangs_is_left_behind_after_five_seconds() {
        let mut reload = reload();
        reload.prepared(1, 7, None);
        assert_eq!(
            (0..4).map(|_| reload.tick()).collect::<Vec<_>>(),
            [Step::Wait, Step::Wait, Step::Wait, Step::Wait]
        );
        assert_eq!(reload.tick(), Step::Commit(vec![2]));
    }

    #[test]
    fn a_swapped_link_shows() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("one"), "same").unwrap();
        fs::write(at("two"), "same").unwrap();
        std::os::unix::fs::symlink(at("one"), at("link")).unwrap();
        let files = [at("link"), at("missing")];
        let before = Stamps::of(&files);
        assert_eq!(before, Stamps::of(&files));
        std::os::unix::fs::symlink(at("two"), at("next")).unwrap();
        fs::rename(at("next"), at("link")).unwrap();
        assert_ne!(before, Stamps::of(&files));
    }
}
