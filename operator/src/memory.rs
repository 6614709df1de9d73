//! What the operator remembers between two reconciles of one `ApiService`. All of it can be lost: it only saves writes
//! and time.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::apply::Applied;
use crate::confirm::Seen;

/// Namespace and name of an `ApiService`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What is remembered of one.
#[derive(Clone, Debug, Default)]
struct Entry {
    references: BTreeSet<String>,
    applied: Applied,
    seen: Seen,
    certified: BTreeSet<String>,
    failures: u32,
    paused: bool,
}

/// What is remembered of all.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    entries: HashMap<Key, Entry>,
    /// The names of those that refer to a Secret, by its namespace and name.
    referring: HashMap<(String, String), BTreeSet<String>>,
    failing: usize,
    paused: usize,
}

impl Remembered {
    fn entry(&mut self, key: &Key) -> &mut Entry {
        self.entries.entry(key.clone()).or_default()
    }

    fn refers(&mut self, key: &Key, secrets: BTreeSet<String>) {
        let before = std::mem::replace(&mut self.entry(key).references, secrets.clone());
        for name in before.difference(&secrets) {
            let secret = (key.namespace.clone(), name.clone());
            if let Some(names) = self.referring.get_mut(&secret) {
                names.remove(&key.name);
                if names.is_empty() {
                    self.referring.remove(&secret);
                }
            }
        }
        for name in secrets {
            let secret = (key.namespace.clone(), name);
            let names = self.referring.entry(secret).or_default();
            names.insert(key.name.clone());
        }
    }

    fn failures(&mut self, key: &Key, change: impl Fn(u32) -> u32) -> u32 {
        let entry = self.entry(key);
        let (before, after) = (entry.failures, change(entry.failures));
        entry.failures = after;
        self.failing = self.failing + usize::from(after > 0) - usize::from(before > 0);
        after
    }

    fn pauses(&mut self, key: &Key, paused: bool) {
        let before = std::mem::replace(&mut self.entry(key).paused, paused);
        self.paused = self.paused + usize::from(paused) - usize::from(before);
    }
}

impl Memory {
    /// The `ApiService` refers to these Secrets.
    pub fn refers(&self, key: &Key, secrets: BTreeSet<String>) {
        self.lock().refers(key, secrets);
    }

    /// The `ApiService`s that refer to a Secret.
    pub fn referring(&self, namespace: &str, secret: &str) -> Vec<Key> {
        let remembered = self.lock();
        let secret = (namespace.to_owned(), secret.to_owned());
        let names = remembered.referring.get(&secret).into_iter().flatten();
        let key = |name: &String| Key {
            namespace: namespace.to_owned(),
            name: name.clone(),
        };
        names.map(key).collect()
    }

    /// What was applied for the `ApiService`; to be put back with [`Memory::applied`].
    pub fn take_applied(&self, key: &Key) -> Applied {
        std::mem::take(&mut self.lock().entry(key).applied)
    }

    /// What was applied for the `ApiService`.
    pub fn applied(&self, key: &Key, applied: Applied) {
        self.lock().entry(key).applied = applied;
    }

    /// What is remembered of its pods.
    pub fn seen(&self, key: &Key) -> Seen {
        self.lock().entry(key).seen.clone()
    }

    /// What is to be remembered of its pods.
    pub fn saw(&self, key: &Key, seen: Seen) {
        self.lock().entry(key).seen = seen;
    }

    /// The APIs that have a certificate now; returns those that had one and have none any more.
    pub fn certified(&self, key: &Key, apis: BTreeSet<String>) -> BTreeSet<String> {
        let mut remembered = self.lock();
        let certified = &mut remembered.entry(key).certified;
        let gone = certified.difference(&apis).cloned().collect();
        *certified = apis;
        gone
    }

    /// A reconcile failed: how often in a row.
    pub fn failed(&self, key: &Key) -> u32 {
        self.lock()
            .failures(key, |failures| failures.saturating_add(1))
    }

    /// A reconcile succeeded.
    pub fn succeeded(&self, key: &Key) {
        self.lock().failures(key, |_| 0);
    }

    /// How many failed last time.
    pub fn failing(&self) -> usize {
        self.lock().failing
    }

    /// Whether an `ApiService` is paused; returns how many are.
    pub fn paused(&self, key: &Key, paused: bool) -> usize {
        let mut remembered = self.lock();
        remembered.pauses(key, paused);
        remembered.paused
    }

    /// The `ApiService` is gone; returns the APIs that had a certificate.
    pub fn forget(&self, key: &Key) -> BTreeSet<String> {
        let mut remembered = self.lock();
        remembered.refers(key, BTreeSet::new());
        remembered.failures(key, |_| 0);
        remembered.pauses(key, false);
        remembered
            .entries
            .remove(key)
            .map(|entry| entry.certified)
            .unwrap_or_default()
    }

    /// Every change is one step, so what a panicking thread left is whole.
    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key {
            namespace: "cloud".to_owned(),
            name: "nova".to_owned(),
        }
    }

    #[test]
    fn secrets_lead_back_to_who_refers_to_them() {
        let memory = Memory::default();
        memory.refers(&key(), ["tls".to_owned()].into());
        assert_eq!(memory.referring("cloud", "tls"), [key()]);
        assert_eq!(memory.referring("other", "tls"), []);
        memory.refers(&key(), BTreeSet::new());
        assert_eq!(memory.referring("cloud", "tls"), []);
    }

    #[test]
    fn failing_and_paused_ones_are_counted_until_they_are_forgotten() {
        let memory = Memory::default();
        assert_eq!([memory.failed(&key()), memory.failed(&key())], [1, 2]);
        assert_eq!(memory.failing(), 1);
        assert_eq!(
            [true, true].map(|paused| memory.paused(&key(), paused)),
            [1, 1]
        );
        memory.succeeded(&key());
        assert_eq!(memory.failing(), 0);
        memory.failed(&key());
        memory.forget(&key());
        assert_eq!(memory.failing(), 0);
        let other = Key {
            name: "other".to_owned(),
            ..key()
        };
        assert_eq!(memory.paused(&other, false), 0);
    }
}
