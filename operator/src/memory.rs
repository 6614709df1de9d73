//! What the operator remembers between two reconciles of one `ApiService`. All of it can be lost: it only saves writes
//! and time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;

use crate::apply::Applied;
use crate::tls::Secrets;

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
    versions: BTreeMap<String, Option<String>>,
    applied: Applied,
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

    /// Names of the Secrets that are other than when this was last asked; none the first time.
    pub fn changed_secrets(&self, key: &Key, secrets: &Secrets) -> BTreeSet<String> {
        let now: BTreeMap<_, _> = secrets
            .iter()
            .map(|(name, secret)| (name.clone(), secret.resource_version()))
            .collect();
        let mut entries = self.lock();
        let before = &mut entries.entry(key.clone()).or_default().versions;
        let changed = now
            .iter()
            .filter(|(name, version)| before.get(*name).is_some_and(|old| old != *version));
        let changed = changed.map(|(name, _)| name.clone()).collect();
        // What vanished keeps its version, so that it counts as changed when it comes back.
        before.extend(now);
        changed
    }

    /// What was applied for the `ApiService`; to be put back with [`Memory::applied`].
    pub fn take_applied(&self, key: &Key) -> Applied {
        std::mem::take(&mut self.lock().entry(key.clone()).or_default().applied)
    }

    /// What was applied for the `ApiService`.
    pub fn applied(&self, key: &Key, applied: Applied) {
        self.lock().entry(key.clone()).or_default().applied = applied;
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
    use k8s_openapi::api::core::v1::Secret;

    fn key() -> Key {
        Key {
            namespace: "cloud".to_owned(),
            name: "nova".to_owned(),
        }
    }

    fn secrets(version: Option<&str>) -> Secrets {
        let mut secret = Secret::default();
        secret.metadata.resource_version = version.map(str::to_owned);
        version
            .map(|_| ("tls".to_owned(), secret))
            .into_iter()
            .collect()
    }

    #[test]
    fn a_secret_counts_as_changed_once_and_after_it_came_back() {
        let memory = Memory::default();
        let changed = |version| memory.changed_secrets(&key(), &secrets(version)).len();
        assert_eq!(
            [Some("1"), Some("1"), Some("2"), Some("2"), None, Some("3")].map(changed),
            [0, 0, 1, 0, 0, 1]
        );
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
