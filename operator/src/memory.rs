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
}

/// What is remembered of all.
#[derive(Debug, Default)]
pub struct Memory(Mutex<HashMap<Key, Entry>>);

impl Memory {
    /// The `ApiService` refers to these Secrets.
    pub fn refers(&self, key: &Key, secrets: BTreeSet<String>) {
        self.lock().entry(key.clone()).or_default().references = secrets;
    }

    /// The `ApiService`s that refer to a Secret.
    pub fn referring(&self, namespace: &str, secret: &str) -> Vec<Key> {
        let entries = self.lock();
        let referring = entries
            .iter()
            .filter(|(key, entry)| key.namespace == namespace && entry.references.contains(secret));
        referring.map(|(key, _)| key.clone()).collect()
    }

    /// What was applied for the `ApiService`; to be put back with [`Memory::applied`].
    pub fn take_applied(&self, key: &Key) -> Applied {
        std::mem::take(&mut self.lock().entry(key.clone()).or_default().applied)
    }

    /// What was applied for the `ApiService`.
    pub fn applied(&self, key: &Key, applied: Applied) {
        self.lock().entry(key.clone()).or_default().applied = applied;
    }

    /// What is remembered of its pods.
    pub fn seen(&self, key: &Key) -> Seen {
        self.lock().entry(key.clone()).or_default().seen.clone()
    }

    /// What is to be remembered of its pods.
    pub fn saw(&self, key: &Key, seen: Seen) {
        self.lock().entry(key.clone()).or_default().seen = seen;
    }

    /// The APIs that have a certificate now; returns those that had one and have none any more.
    pub fn certified(&self, key: &Key, apis: BTreeSet<String>) -> BTreeSet<String> {
        let mut entries = self.lock();
        let certified = &mut entries.entry(key.clone()).or_default().certified;
        let gone = certified.difference(&apis).cloned().collect();
        *certified = apis;
        gone
    }

    /// A reconcile failed: how often in a row.
    pub fn failed(&self, key: &Key) -> u32 {
        let mut entries = self.lock();
        let entry = entries.entry(key.clone()).or_default();
        entry.failures = entry.failures.saturating_add(1);
        entry.failures
    }

    /// A reconcile succeeded.
    pub fn succeeded(&self, key: &Key) {
        if let Some(entry) = self.lock().get_mut(key) {
            entry.failures = 0;
        }
    }

    /// How many failed last time.
    pub fn failing(&self) -> usize {
        self.lock()
            .values()
            .filter(|entry| entry.failures > 0)
            .count()
    }

    /// The `ApiService` is gone; returns the APIs that had a certificate.
    pub fn forget(&self, key: &Key) -> BTreeSet<String> {
        self.lock()
            .remove(key)
            .map(|entry| entry.certified)
            .unwrap_or_default()
    }

    /// Every change is one step, so what a panicking thread left is whole.
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
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
}
