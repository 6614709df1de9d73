//! nova's `services`: which service runs where, at which version, and when it was last seen.

mod entity;
pub mod minimum;
pub mod record;

use std::time::Duration;

use sea_orm::sea_query::{Expr, ExprTrait, Func, SimpleExpr};
use sea_orm::{
    ColumnTrait, Condition, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Set,
};
use uuid::Uuid;

use crate::clock;
use crate::error::StoreError;
use crate::error::cause::{self, Cause};
use crate::store::Store;
use crate::url::Dialect;
use entity::{ActiveModel, Column, Entity, Model};
use record::Service;

/// A service that was not seen for so long is not up: nova's `service_down_time`.
pub const LIVE_FOR: Duration = Duration::from_secs(60);
/// Enrolling a service that was seen within this does not write that it was seen.
const FRESH: Duration = Duration::from_secs(5);
/// How often enrolling meets a row that comes or goes under its hands before it gives up.
const RACES: u32 = 10;

/// The records of services.
#[derive(Clone, Debug)]
pub struct Services {
    store: Store,
}

/// What enrolling did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enrolled {
    /// The service was new.
    Created,
    /// It was there at another version.
    Updated {
        /// The version it had; 0 when none was recorded.
        from: u32,
    },
    /// It was there at this version.
    Unchanged,
}

impl Services {
    pub(crate) fn of(store: Store) -> Self {
        Self { store }
    }

    /// Records that a service starts, as nova's `WSGIService.start` does: gets its row by host and binary, updates the
    /// version in it, or creates it. Siblings may do the same at once: one of them creates or updates, the others find
    /// it [`Enrolled::Unchanged`].
    ///
    /// A service that is older than all other live ones of its binary is refused ([`StoreError::ServiceTooOld`]) unless
    /// `allow_older`. As in nova, one whose row already has its version is not asked.
    pub async fn enroll(
        &self,
        host: &str,
        binary: &str,
        version: u32,
        allow_older: bool,
    ) -> Result<Enrolled, StoreError> {
        for _ in 0..RACES {
            let found = self.find(host, binary).await?;
            if let Some(row) = &found
                && row.version() == version
            {
                self.freshen(row).await?;
                return Ok(Enrolled::Unchanged);
            }
            if !allow_older {
                self.check_minimum(host, binary, version).await?;
            }
            match found {
                None if self.create(host, binary, version).await? => return Ok(Enrolled::Created),
                Some(row) if self.update(&row, version).await? => {
                    return Ok(Enrolled::Updated {
                        from: row.version(),
                    });
                }
                // A sibling was faster: its row or its version counts.
                _ => {}
            }
        }
        Err(StoreError::Unreachable {
            database: self.store.url().to_string(),
            reason: format!("the record of {binary} on {host} changes faster than it can be read"),
        })
    }

    /// Records that a service lives. `false` when its row is gone: it was swept or deleted, and has to
    /// [`Services::enroll`] again.
    pub async fn seen(&self, host: &str, binary: &str) -> Result<bool, StoreError> {
        let update = Entity::update_many()
            .col_expr(Column::ReportCount, Expr::col(Column::ReportCount).add(1))
            .col_expr(Column::LastSeenUp, Expr::value(clock::now()))
            .col_expr(Column::UpdatedAt, Expr::value(clock::now()))
            .filter(named(host, binary));
        self.store
            .run("record that a service lives", |pool| {
                let update = update.clone();
                async move { Ok(update.exec(&pool).await?.rows_affected > 0) }
            })
            .await
    }

    /// Removes a service that ended.
    pub async fn remove(&self, host: &str, binary: &str) -> Result<(), StoreError> {
        let delete = Entity::delete_many()
            .filter(named(host, binary))
            .filter(Column::Topic.is_null());
        self.store
            .run("remove a service", |pool| {
                let delete = delete.clone();
                async move { delete.exec(&pool).await.map(|_| ()) }
            })
            .await
    }

    /// Removes the API services of these binaries that were not seen for so long, and says how many. Others' rows stay:
    /// those of other binaries, and those with a topic. A row that was never seen counts from its creation.
    pub async fn sweep(&self, binaries: &[&str], unseen_for: Duration) -> Result<u64, StoreError> {
        let last = last_sign();
        let delete = Entity::delete_many()
            .filter(Column::Deleted.eq(0))
            .filter(Column::Topic.is_null())
            .filter(Column::Binary.is_in(binaries.iter().copied()))
            .filter(
                Condition::any()
                    .add(last.clone().is_null())
                    .add(last.lt(clock::ago(unseen_for))),
            );
        self.store
            .run("remove stale services", |pool| {
                let delete = delete.clone();
                async move { Ok(delete.exec(&pool).await?.rows_affected) }
            })
            .await
    }

    /// All services, oldest first.
    pub async fn list(&self) -> Result<Vec<Service>, StoreError> {
        let rows = self.store.run("list its services", |pool| async move {
            Entity::find()
                .filter(Column::Deleted.eq(0))
                .order_by_asc(Column::Id)
                .all(&pool)
                .await
        });
        Ok(rows.await?.into_iter().map(Service::from).collect())
    }

    async fn find(&self, host: &str, binary: &str) -> Result<Option<Model>, StoreError> {
        let find = Entity::find().filter(named(host, binary));
        self.store
            .run("find a service", |pool| {
                let find = find.clone();
                async move { find.one(&pool).await }
            })
            .await
    }

    /// Creates the row; `false` when a sibling was faster.
    async fn create(&self, host: &str, binary: &str, version: u32) -> Result<bool, StoreError> {
        let row = ActiveModel {
            created_at: Set(Some(clock::now())),
            deleted: Set(Some(0)),
            host: Set(Some(host.to_owned())),
            binary: Set(Some(binary.to_owned())),
            report_count: Set(0),
            disabled: Set(Some(false)),
            forced_down: Set(Some(false)),
            version: Set(Some(number(version))),
            uuid: Set(Some(Uuid::new_v4().to_string())),
            ..ActiveModel::default()
        };
        let dialect = self.store.url().dialect();
        self.store
            .run("record a service", |pool| {
                let insert = Entity::insert(row.clone());
                async move { created(dialect, insert.exec_without_returning(&pool).await) }
            })
            .await
    }

    /// Writes the version; `false` when the row changed meanwhile.
    async fn update(&self, row: &Model, version: u32) -> Result<bool, StoreError> {
        let same = match row.version {
            Some(version) => Column::Version.eq(version),
            None => Column::Version.is_null(),
        };
        self.write(row, same, Some(version)).await
    }

    /// A row that is about to be stale must not be swept before its service is seen for the first time.
    async fn freshen(&self, row: &Model) -> Result<(), StoreError> {
        let last = row.last_seen_up.or(row.created_at);
        if row.uuid.is_some() && last.is_some_and(|last| last >= clock::ago(FRESH)) {
            return Ok(());
        }
        let any = Column::Id.eq(row.id);
        self.write(row, any, None).await.map(|_| ())
    }

    async fn write(
        &self,
        row: &Model,
        filter: SimpleExpr,
        version: Option<u32>,
    ) -> Result<bool, StoreError> {
        let mut update = Entity::update_many()
            .col_expr(Column::LastSeenUp, Expr::value(clock::now()))
            .col_expr(Column::UpdatedAt, Expr::value(clock::now()))
            .filter(Column::Id.eq(row.id))
            .filter(Column::Deleted.eq(0))
            .filter(filter);
        if let Some(version) = version {
            update = update.col_expr(Column::Version, Expr::value(number(version)));
        }
        if row.uuid.is_none() {
            let uuid = Uuid::new_v4().to_string();
            // Siblings may give it one as well: the first counts.
            let first = Func::coalesce([Expr::col(Column::Uuid), Expr::value(uuid)]);
            update = update.col_expr(Column::Uuid, first.into());
        }
        self.store
            .run("update a service", |pool| {
                let update = update.clone();
                async move { Ok(update.exec(&pool).await?.rows_affected > 0) }
            })
            .await
    }

    /// nova's `Service._check_minimum_version`, over those that live and are not ourselves: a row of our own may be
    /// what a later release left when it was rolled back.
    async fn check_minimum(
        &self,
        host: &str,
        binary: &str,
        version: u32,
    ) -> Result<(), StoreError> {
        let select = Entity::find()
            .select_only()
            .column_as(Column::Version.min(), "minimum")
            .filter(Column::Binary.eq(binary))
            .filter(Column::Host.ne(host))
            .filter(Column::Deleted.eq(0))
            .filter(Column::ForcedDown.eq(false))
            .filter(last_sign().gte(clock::ago(LIVE_FOR)));
        let minimum = self.store.run("find the lowest version", |pool| {
            let select = select.clone().into_tuple::<Option<i32>>();
            async move { select.one(&pool).await }
        });
        match minimum.await?.flatten().map(i32::unsigned_abs) {
            Some(minimum) if minimum > version => Err(StoreError::ServiceTooOld {
                this: version,
                minimum,
            }),
            _ => Ok(()),
        }
    }

    pub(crate) async fn run<T, F>(
        &self,
        doing: &'static str,
        operation: impl Fn(DatabaseConnection) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, DbErr>>,
    {
        self.store.run(doing, operation).await
    }
}

/// The row of a service; deleted ones stay in nova's tables.
fn named(host: &str, binary: &str) -> Condition {
    Condition::all()
        .add(Column::Host.eq(host))
        .add(Column::Binary.eq(binary))
        .add(Column::Deleted.eq(0))
}

/// When a service was last known to live: nova's `service_is_up`.
fn last_sign() -> SimpleExpr {
    Func::coalesce([Expr::col(Column::LastSeenUp), Expr::col(Column::CreatedAt)]).into()
}

fn number(version: u32) -> i32 {
    i32::try_from(version).unwrap_or(i32::MAX)
}

/// Whether an insert made the row; `false` when its key was taken.
fn created<T>(dialect: Dialect, inserted: Result<T, DbErr>) -> Result<bool, DbErr> {
    match inserted {
        Ok(_) => Ok(true),
        Err(error) => match cause::driver(&error) {
            Some(driver) if cause::of(dialect, driver) == Cause::Duplicate => Ok(false),
            _ => Err(error),
        },
    }
}
