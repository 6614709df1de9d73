//! Contents of Secrets that were read, for as long as the watch of their metadata says that they are the same.
//!
//! Only those that somebody asked for by name are here. An event about one drops it, and so does every doubt: a new list,
//! or a watch that failed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::PartialObjectMeta;
use kube::runtime::watcher::Event;
use tokio::time::Instant;

/// A watch that failed is not relied on for this long.
const DISTRUST: Duration = Duration::from_secs(60);

/// The Secrets that were read.
#[derive(Clone, Default)]
pub struct Secrets(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    read: HashMap<(String, String), Secret>,
    /// Grows with every event.
    events: u64,
    watched: bool,
    failed: Option<Instant>,
}

impl Known {
    fn is_sound(&self) -> bool {
        self.watched && self.failed.is_none_or(|failed| failed.elapsed() > DISTRUST)
    }
}

/// A moment between events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(u64);

impl Secrets {
    /// What was read, or the moment at which it is read now.
    pub fn get(&self, namespace: &str, name: &str) -> Result<Secret, Moment> {
        let known = self.lock();
        let key = (namespace.to_owned(), name.to_owned());
        let read = known.read.get(&key).filter(|_| known.is_sound());
        read.cloned().ok_or(Moment(known.events))
    }

    /// `secret` was read. It is not kept if something happened since it was asked for: that may have been its end.
    pub fn read(&self, secret: &Secret, asked: Moment) {
        let mut known = self.lock();
        if known.is_sound() && known.events == asked.0 {
            let mut secret = secret.clone();
            secret.metadata.managed_fields = None;
            let key = (secret.namespace().unwrap_or_default(), secret.name_any());
            known.read.insert(key, secret);
        }
    }

    /// The watch of all Secrets' metadata told something.
    pub fn told(&self, event: &Event<PartialObjectMeta<Secret>>) {
        let mut known = self.lock();
        known.events += 1;
        match event {
            Event::Apply(secret) | Event::Delete(secret) | Event::InitApply(secret) => {
                let key = (secret.namespace().unwrap_or_default(), secret.name_any());
                known.read.remove(&key);
            }
            Event::Init => known.read.clear(),
            Event::InitDone => known.watched = true,
        }
    }

    /// That watch failed.
    pub fn failed(&self) {
        let mut known = self.lock();
        known.events += 1;
        known.read.clear();
        known.failed = Some(Instant::now());
    }

    /// Every change is one step, so what a panicking thread left is whole.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::metadata::PartialObjectMetaExt;

    fn secret() -> Secret {
        serde_json::from_value(
            serde_json::json!({"metadata": {"namespace": "cloud", "name": "tls"}}),
        )
        .unwrap()
    }

    fn event(
        kind: fn(PartialObjectMeta<Secret>) -> Event<PartialObjectMeta<Secret>>,
    ) -> Event<PartialObjectMeta<Secret>> {
        kind(secret().metadata.into_response_partial())
    }

    fn asked(secrets: &Secrets) -> Moment {
        secrets.get("cloud", "tls").unwrap_err()
    }

    fn watched() -> Secrets {
        let secrets = Secrets::default();
        secrets.told(&Event::InitDone);
        let asked = asked(&secrets);
        secrets.read(&secret(), asked);
        assert_eq!(secrets.get("cloud", "tls"), Ok(secret()));
        secrets
    }

    #[test]
    fn nothing_is_kept_that_is_not_watched() {
        let secrets = Secrets::default();
        let moment = asked(&secrets);
        secrets.read(&secret(), moment);
        asked(&secrets);
    }

    #[test]
    fn an_event_and_every_doubt_drop_it() {
        for doubt in [event(Event::Apply), event(Event::Delete), Event::Init] {
            let secrets = watched();
            secrets.told(&doubt);
            asked(&secrets);
        }
    }

    #[test]
    fn what_changed_while_it_was_read_is_not_kept() {
        let secrets = watched();
        secrets.told(&event(Event::Apply));
        let moment = asked(&secrets);
        secrets.told(&event(Event::Apply));
        secrets.read(&secret(), moment);
        asked(&secrets);
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_failed_is_not_relied_on_for_a_minute() {
        let secrets = watched();
        secrets.failed();
        let moment = asked(&secrets);
        secrets.read(&secret(), moment);
        asked(&secrets);
        tokio::time::advance(DISTRUST + Duration::from_secs(1)).await;
        let moment = asked(&secrets);
        secrets.read(&secret(), moment);
        assert_eq!(secrets.get("cloud", "tls"), Ok(secret()));
    }
}
