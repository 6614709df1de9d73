//! What watches and our own writes have told of the children, so that a reconcile reads without asking.
//!
//! ```text
//! watch events ──┐
//!                ├─► Shelf per kind: (namespace, name) ─► JSON, resource version ──► get, list
//! own writes ────┘
//! ```
//!
//! Objects are kept as JSON text without what nobody reads: a third of what the typed structs take, and most of them are
//! not looked at for minutes. What we wrote is seen at once, whenever its event comes: the greater resource version wins
//! (API servers compare them as numbers since 1.35, and have handed them out in order before).
//!
//! A kind whose watch has not listed yet, or has failed within the last minute, is not answered for: then the API server
//! is asked.

use std::any::Any;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::ResourceExt;
use kube::runtime::watcher::Event;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Child;
use super::slim::slim;
use crate::metrics::Metrics;
use crate::names;

/// A watch that failed is not relied on for this long: it is tried again every half minute at the latest.
const DISTRUST: Duration = Duration::from_secs(60);

/// Everything watched.
#[derive(Clone)]
pub struct Cache {
    shelves: Arc<Mutex<HashMap<String, Shelf>>>,
    waiting: Arc<watch::Sender<usize>>,
    metrics: Metrics,
}

/// One kind.
#[derive(Debug, Default)]
struct Shelf {
    objects: HashMap<Name, Entry>,
    instances: HashMap<Name, BTreeSet<Box<str>>>,
    /// Grows with every list that begins.
    epoch: u64,
    complete: bool,
    /// Whether somebody waits for the first list.
    awaited: bool,
    failed: Option<Instant>,
}

/// Namespace, and name of an object or an instance.
type Name = (Box<str>, Box<str>);

#[derive(Debug)]
struct Entry {
    epoch: u64,
    version: Option<u64>,
    uid: Box<str>,
    instance: Box<str>,
    /// Nothing once it is deleted: what a watch still tells of it came before.
    text: Option<Box<[u8]>>,
}

impl Cache {
    /// Knows nothing.
    pub fn new(metrics: Metrics) -> Self {
        Self {
            shelves: Arc::default(),
            waiting: Arc::new(watch::Sender::new(0)),
            metrics,
        }
    }

    /// A watch of this kind begins, and its first list is waited for.
    pub fn expect<K: Child>(&self) {
        let awaited = Shelf {
            awaited: true,
            ..Shelf::default()
        };
        self.lock().insert(kind::<K>(), awaited);
        self.waiting.send_modify(|waiting| *waiting += 1);
    }

    /// A watch of this kind begins, and nobody waits for it.
    pub fn begin<K: Child>(&self) {
        self.lock().insert(kind::<K>(), Shelf::default());
    }

    /// This kind is not watched any more.
    pub fn end<K: Child>(&self) {
        self.lock().remove(&kind::<K>());
    }

    /// Waits until every kind has been listed once, but not for ever: what one watch lacks is asked for.
    pub async fn settled(&self, patience: Duration) {
        let mut waiting = self.waiting.subscribe();
        let all = waiting.wait_for(|waiting| *waiting == 0);
        // Neither a late watch nor the end of all watches is a reason to wait any longer.
        let _ = tokio::time::timeout(patience, all).await;
    }

    /// A watch told something.
    pub fn told<K: Child>(&self, event: &Event<K>) {
        let mut all = self.lock();
        let Some(kept) = all.get_mut(&kind::<K>()) else {
            return;
        };
        match event {
            Event::Init => kept.epoch += 1,
            Event::Apply(object) | Event::InitApply(object) => kept.put(object),
            Event::Delete(object) => kept.drop(&name(object)),
            Event::InitDone => {
                kept.forget_unlisted();
                kept.complete = true;
                if std::mem::take(&mut kept.awaited) {
                    self.waiting.send_modify(|waiting| *waiting -= 1);
                }
            }
        }
        if !matches!(event, Event::Init | Event::InitApply(_)) {
            self.metrics.cached(&K::kind(&()), kept.objects.len());
        }
    }

    /// A watch failed and is started again.
    pub fn failed<K: Child>(&self) {
        if let Some(kept) = self.lock().get_mut(&kind::<K>()) {
            kept.failed = Some(Instant::now());
        }
    }

    /// The API server answered a write of ours with this object.
    pub fn wrote<K: Child>(&self, object: &K) {
        if let Some(kept) = self.lock().get_mut(&kind::<K>()) {
            kept.put(object);
        }
    }

    /// The API server says that this object is gone.
    pub fn deleted<K: Child>(&self, object: &K) {
        if let Some(kept) = self.lock().get_mut(&kind::<K>())
            && let Some(entry) = kept.objects.get_mut(&name(object))
            && object.uid().as_deref() == Some(&*entry.uid)
        {
            entry.text = None;
        }
    }

    /// The object called `name`, if it is known.
    pub fn get<K: Child>(&self, namespace: &str, name: &str) -> Option<K> {
        let all = self.lock();
        let kept = all.get(&kind::<K>()).filter(|kept| kept.is_sound())?;
        kept.objects.get(&(namespace.into(), name.into()))?.read()
    }

    /// The objects a label selector chooses; `None` if that is not known here.
    pub fn list<K: Child>(&self, namespace: &str, selector: &str) -> Option<Vec<K>> {
        let all = self.lock();
        let kept = all.get(&kind::<K>()).filter(|kept| kept.is_sound())?;
        let wanted: Vec<(&str, &str)> = selector
            .split(',')
            .map(|pair| pair.split_once('='))
            .collect::<Option<_>>()?;
        let (_, instance) = wanted.iter().find(|(key, _)| *key == names::INSTANCE)?;
        let chosen = |object: &K| {
            let labels = object.labels();
            wanted
                .iter()
                .all(|(key, value)| labels.get(*key).is_some_and(|held| held == value))
        };
        let names = kept.instances.get(&(namespace.into(), (*instance).into()));
        let objects = names.into_iter().flatten().filter_map(|name| {
            let entry = kept.objects.get(&(namespace.into(), name.clone()))?;
            entry.read()
        });
        Some(objects.filter(chosen).collect())
    }

    /// Every change is one step, so what a panicking thread left is whole.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Shelf>> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn is_sound(&self) -> bool {
        self.complete && self.failed.is_none_or(|failed| failed.elapsed() > DISTRUST)
    }

    fn put<K: Child>(&mut self, object: &K) {
        let key = name(object);
        let version = object.resource_version().and_then(|text| text.parse().ok());
        let uid = object.uid().unwrap_or_default();
        if let Some(held) = self.objects.get_mut(&key) {
            held.epoch = self.epoch;
            let gone = held.text.is_none() && *held.uid == *uid;
            if gone || (version.is_some() && held.version > version) {
                return;
            }
        }
        let Ok(text) = serde_json::to_vec(&slim(object)) else {
            // It was parsed a moment ago. Should it ever happen, the API server is asked.
            self.drop(&key);
            return;
        };
        self.drop(&key);
        let instance = object.labels().get(names::INSTANCE);
        let instance: Box<str> = instance.map_or_else(Box::default, |name| name.as_str().into());
        self.instances
            .entry((key.0.clone(), instance.clone()))
            .or_default()
            .insert(key.1.clone());
        let entry = Entry {
            epoch: self.epoch,
            version,
            uid: uid.into(),
            instance,
            text: Some(text.into()),
        };
        self.objects.insert(key, entry);
    }

    fn drop(&mut self, key: &Name) {
        let Some(entry) = self.objects.remove(key) else {
            return;
        };
        let instance = (key.0.clone(), entry.instance);
        if let Some(names) = self.instances.get_mut(&instance) {
            names.remove(&key.1);
            if names.is_empty() {
                self.instances.remove(&instance);
            }
        }
    }

    /// A list ended: what was neither in it nor written since it began is gone.
    fn forget_unlisted(&mut self) {
        let epoch = self.epoch;
        let old = self
            .objects
            .iter()
            .filter(|(_, entry)| entry.epoch != epoch);
        let old: Vec<Name> = old.map(|(key, _)| key.clone()).collect();
        for key in old {
            self.drop(&key);
        }
    }
}

impl Entry {
    fn read<K: DeserializeOwned + Any>(&self) -> Option<K> {
        serde_json::from_slice(self.text.as_ref()?).ok()
    }
}

fn kind<K: Child>() -> String {
    format!("{}/{}", K::group(&()), K::kind(&()))
}

fn name<K: Child>(object: &K) -> Name {
    (
        object.namespace().unwrap_or_default().into(),
        object.name_any().into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Service;
    use rstest::rstest;

    fn service(name: &str, version: u64) -> Service {
        serde_json::from_value(serde_json::json!({"metadata": {
            "namespace": "cloud", "name": name, "uid": name, "resourceVersion": version.to_string(),
            "labels": {"app.kubernetes.io/instance": "nova", "version": version.to_string()},
            "managedFields": [{"manager": "somebody"}],
        }}))
        .unwrap()
    }

    fn cache(held: &[Service]) -> Cache {
        let cache = Cache::new(Metrics::new().unwrap());
        cache.expect::<Service>();
        cache.told::<Service>(&Event::Init);
        for service in held {
            cache.told(&Event::InitApply(service.clone()));
        }
        cache.told::<Service>(&Event::InitDone);
        cache
    }

    fn versions(cache: &Cache) -> Option<Vec<String>> {
        let selector = format!("{}=nova", names::INSTANCE);
        let held = cache.list::<Service>("cloud", &selector)?;
        Some(
            held.iter()
                .filter_map(ResourceExt::resource_version)
                .collect(),
        )
    }

    #[test]
    fn nothing_is_answered_before_the_first_list() {
        let cache = Cache::new(Metrics::new().unwrap());
        assert_eq!(versions(&cache), None);
        cache.expect::<Service>();
        cache.told::<Service>(&Event::Init);
        cache.told(&Event::InitApply(service("a", 1)));
        assert_eq!(versions(&cache), None);
        cache.told::<Service>(&Event::InitDone);
        assert_eq!(versions(&cache), Some(vec!["1".to_owned()]));
    }

    #[rstest]
    #[case("app.kubernetes.io/instance=nova,version=1", Some(1))]
    #[case("app.kubernetes.io/instance=nova,version=9", Some(0))]
    #[case("app.kubernetes.io/instance=other", Some(0))]
    #[case("version=1", None)]
    #[case("app.kubernetes.io/instance in (nova)", None)]
    fn selectors(#[case] selector: &str, #[case] expected: Option<usize>) {
        let cache = cache(&[service("a", 1), service("b", 2)]);
        let found = cache.list::<Service>("cloud", selector);
        assert_eq!(found.map(|found| found.len()), expected);
    }

    #[test]
    fn what_nobody_reads_is_not_kept() {
        let cache = cache(&[service("a", 1)]);
        let held: Service = cache.get("cloud", "a").unwrap();
        assert_eq!(held.metadata.managed_fields, None);
        assert_eq!(cache.get::<Service>("elsewhere", "a"), None);
    }

    #[test]
    fn the_youngest_wins_whoever_tells_it() {
        let cache = cache(&[service("a", 5)]);
        cache.wrote(&service("a", 7));
        cache.told(&Event::Apply(service("a", 6)));
        assert_eq!(versions(&cache), Some(vec!["7".to_owned()]));
        cache.told(&Event::Apply(service("a", 8)));
        assert_eq!(versions(&cache), Some(vec!["8".to_owned()]));
    }

    #[test]
    fn what_is_deleted_does_not_come_back_with_an_old_event() {
        let cache = cache(&[service("a", 5)]);
        cache.deleted(&service("a", 5));
        cache.told(&Event::Apply(service("a", 6)));
        assert_eq!(versions(&cache), Some(vec![]));
        assert_eq!(cache.get::<Service>("cloud", "a"), None);
        cache.told(&Event::Delete(service("a", 7)));
        let mut anew = service("a", 8);
        anew.metadata.uid = Some("another".to_owned());
        cache.told(&Event::Apply(anew));
        assert_eq!(versions(&cache), Some(vec!["8".to_owned()]));
    }

    #[test]
    fn a_list_forgets_what_is_not_in_it_but_not_what_was_written_meanwhile() {
        let cache = cache(&[service("gone", 1), service("stays", 2)]);
        cache.told::<Service>(&Event::Init);
        cache.told(&Event::InitApply(service("stays", 2)));
        cache.wrote(&service("new", 9));
        cache.told::<Service>(&Event::InitDone);
        assert_eq!(versions(&cache), Some(vec!["9".to_owned(), "2".to_owned()]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_fails_is_not_relied_on_for_a_minute() {
        let cache = cache(&[service("a", 1)]);
        cache.failed::<Service>();
        assert_eq!(versions(&cache), None);
        tokio::time::advance(DISTRUST + Duration::from_secs(1)).await;
        assert_eq!(versions(&cache), Some(vec!["1".to_owned()]));
    }

    #[tokio::test(start_paused = true)]
    async fn one_late_watch_does_not_hold_up_all_for_ever() {
        let ready = cache(&[]);
        ready.settled(Duration::MAX).await;
        ready.expect::<k8s_openapi::api::core::v1::ConfigMap>();
        let began = Instant::now();
        ready.settled(Duration::from_secs(30)).await;
        assert_eq!(began.elapsed(), Duration::from_secs(30));
    }
}
