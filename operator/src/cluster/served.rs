//! Which kinds the API server has, of those a cluster may lack.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::within;
use crate::Error;
use crate::kinds::{Kind, VERSIONS};

/// A definition that was installed is noticed after this long at the latest.
const FRESH: Duration = Duration::from_secs(30);

/// The kinds the API server has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served(BTreeSet<(String, String, String)>);

impl Served {
    /// Whether it has this one.
    pub fn has<T: Kind>(&self) -> bool {
        let key = [T::GROUP, T::VERSION, T::PLURAL].map(str::to_owned);
        self.0.contains(&key.into())
    }
}

/// What was last answered, and when.
type Answer = (Instant, Arc<Served>);

/// Asks, one at a time, and remembers the answer.
#[derive(Clone, Default)]
pub(super) struct Discovery(Arc<Mutex<Option<Answer>>>);

impl Discovery {
    /// The kinds as they were half a minute ago at most.
    pub async fn served(&self, client: &Client) -> Result<Arc<Served>, Error> {
        let mut known = self.0.lock().await;
        if let Some((asked, served)) = &*known
            && asked.elapsed() < FRESH
        {
            return Ok(Arc::clone(served));
        }
        let mut served = Served::default();
        for (group, version) in VERSIONS {
            let name = format!("{group}/{version}");
            let doing = format!("ask for the kinds of {name}");
            let answer = within(doing, client.list_api_group_resources(&name)).await;
            let resources = match answer {
                Ok(list) => list.resources,
                Err(error) if error.is_absent() => continue,
                Err(error) => return Err(error),
            };
            let names = resources.into_iter().map(|resource| resource.name);
            served
                .0
                .extend(names.map(|plural| (group.to_owned(), version.to_owned(), plural)));
        }
        let served = Arc::new(served);
        *known = Some((Instant::now(), Arc::clone(&served)));
        Ok(served)
    }

    /// What was answered is not so any more.
    pub async fn forget(&self) {
        *self.0.lock().await = None;
    }
}
