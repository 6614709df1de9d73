//! The lowest version of some services, which decides what the API may ask of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::Services;
use super::entity::{Column, Entity};
use crate::error::StoreError;

/// nova's `Service.get_minimum_version_multi` with its cache. Clones share it.
#[derive(Clone, Debug)]
pub struct MinimumVersions {
    services: Services,
    known: Arc<Mutex<BTreeMap<String, u32>>>,
}

impl MinimumVersions {
    /// One that knows nothing yet.
    pub fn new(services: Services) -> Self {
        Self {
            services,
            known: Arc::default(),
        }
    }

    /// The lowest version of all these binaries, 0 when there is no such service. As in nova, how long a service has
    /// not been seen does not matter here, only that it was not forced down; and what was read once is believed until
    /// [`MinimumVersions::clear`].
    pub async fn get(&self, binaries: &[&str]) -> Result<u32, StoreError> {
        if !binaries.iter().all(|binary| binary.starts_with("nova-")) {
            return Err(StoreError::InvalidBinary);
        }
        if let Some(lowest) = self.remembered(binaries) {
            return Ok(lowest);
        }
        let select = Entity::find()
            .select_only()
            .column(Column::Binary)
            .column_as(Column::Version.min(), "minimum")
            .filter(Column::Binary.is_in(binaries.iter().copied()))
            .filter(Column::Deleted.eq(0))
            .filter(Column::ForcedDown.eq(false))
            .group_by(Column::Binary);
        let rows = self.services.run("find the lowest version", |pool| {
            let select = select.clone().into_tuple::<(String, Option<i32>)>();
            async move { select.all(&pool).await }
        });
        let found: BTreeMap<String, u32> = rows
            .await?
            .into_iter()
            .map(|(binary, version)| (binary, version.unwrap_or(0).unsigned_abs()))
            .collect();
        let lowest = found.values().min().copied().unwrap_or(0);
        self.lock().extend(found);
        Ok(lowest)
    }

    /// Forgets: nova's `clear_min_version_cache`, at SIGHUP.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// The answer, if all of these are known.
    fn remembered(&self, binaries: &[&str]) -> Option<u32> {
        let known = self.lock();
        let versions: Option<Vec<u32>> = binaries
            .iter()
            .map(|binary| known.get(*binary).copied())
            .collect();
        versions.map(|versions| versions.into_iter().min().unwrap_or(0))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, u32>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
