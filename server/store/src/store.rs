//! A database that is there when it is needed.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sea_orm::{DatabaseConnection, DbErr};
use tokio::time::timeout;

use crate::connect::{self, Pool};
use crate::error::StoreError;
use crate::error::cause::{self, Cause};
use crate::migration::{Migration, SCHEMA};
use crate::schema::{self, Schema, Stopped, Synced};
use crate::services::Services;
use crate::url::{Dialect, Url};

/// How long the database may take to answer, beside the wait for a connection.
const ANSWER: Duration = Duration::from_secs(10);
/// How often an operation that gave way to another transaction is tried.
const ATTEMPTS: u32 = 5;

/// A database and its connections. Clones share them.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    url: Url,
    connections: u32,
    migrations: &'static [Migration],
    pool: Mutex<Place>,
    /// Held by whoever finds out why there was no connection.
    asking: tokio::sync::Mutex<()>,
}

/// Where the connections are.
enum Place {
    /// They are made at the first use: that needs a runtime, and opening a store must not.
    Empty,
    Full(Pool),
    Closed,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "Store({})", self.inner.url)
    }
}

impl Store {
    /// Opens a store that uses at most so many connections. Makes none yet; only the files TLS needs are read, so the
    /// one error is [`StoreError::File`].
    pub fn open(url: &Url, connections: u32) -> Result<Self, StoreError> {
        Self::open_as(url, connections, SCHEMA)
    }

    /// Opens a store as a release that knows these migrations does.
    pub fn open_as(
        url: &Url,
        connections: u32,
        migrations: &'static [Migration],
    ) -> Result<Self, StoreError> {
        connect::check_files(url)?;
        Ok(Self {
            inner: Arc::new(Inner {
                url: url.clone(),
                connections,
                migrations,
                pool: Mutex::new(Place::Empty),
                asking: tokio::sync::Mutex::new(()),
            }),
        })
    }

    /// The database's URL.
    pub fn url(&self) -> &Url {
        &self.inner.url
    }

    /// `db sync`: brings the schema up to date, unless it is. Any number of processes may do so at once. It uses one
    /// connection of its own, beside the store's, until it returns.
    ///
    /// An error that is not [`StoreError::unreachable`] stays until somebody acts: the user may not change the schema,
    /// a later release is needed, or the database holds somebody else's tables.
    pub async fn sync(&self) -> Result<Synced, StoreError> {
        let found = self.schema().await?.check(self.url())?;
        if found.current() {
            return Ok(Synced {
                from: found.version,
                to: found.version,
            });
        }
        match schema::sync(self.url(), self.inner.migrations).await {
            Ok(synced) => Ok(synced),
            Err(Stopped::Store(error)) => Err(error),
            Err(Stopped::Database(error)) => Err(self.explain("change its schema", &error).await),
        }
    }

    /// `db version`: which schema the database has and which this release knows, be it usable or not.
    pub async fn schema(&self) -> Result<Schema, StoreError> {
        let migrations = self.inner.migrations;
        let read = self.run("say its schema's version", move |pool| async move {
            schema::read(&pool, migrations).await
        });
        match read.await {
            Err(StoreError::NotSynced { .. }) => Ok(schema::empty(migrations)),
            read => read,
        }
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.run("answer", |pool| async move { pool.ping().await })
            .await
    }

    /// The records of services.
    pub fn services(&self) -> Services {
        Services::of(self.clone())
    }

    /// Closes the connections, for this store and its clones; waits for those in use, at most 10 s.
    pub async fn close(&self) {
        let place = std::mem::replace(&mut *self.place(), Place::Closed);
        if let Place::Full(pool) = place {
            let _ = timeout(ANSWER, pool.connection.close()).await;
        }
    }

    /// Does something with the database, within a time limit, and again when it gave way to another transaction or when
    /// no connection could be had. So it must be one statement.
    pub(crate) async fn run<T, F>(
        &self,
        doing: &'static str,
        operation: impl Fn(DatabaseConnection) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, DbErr>>,
    {
        let url = self.url();
        let most = connect::acquire_timeout(url) + ANSWER;
        let mut attempt = 1;
        loop {
            let pool = self.pool()?;
            let error = match timeout(most, operation(pool.connection.clone())).await {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(error)) => error,
                Err(_) => {
                    pool.silent.store(true, Ordering::Relaxed);
                    return Err(self.silent(most));
                }
            };
            let again = match cause::driver(&error) {
                // The pool's connections were silent: the next pool's may not be.
                Some(sqlx::Error::PoolTimedOut) => pool.silent.load(Ordering::Relaxed),
                // Another operation replaced the pool.
                Some(sqlx::Error::PoolClosed) => true,
                Some(error) => cause::of(url.dialect(), error) == Cause::Conflict,
                None => false,
            };
            if !again || attempt == ATTEMPTS {
                return Err(self.explain(doing, &error).await);
            }
            attempt += 1;
        }
    }

    /// The connections: new ones at the first use, and when those there are were found silent.
    fn pool(&self) -> Result<Pool, StoreError> {
        let mut place = self.place();
        if let Place::Full(pool) = &*place
            && pool.silent.load(Ordering::Relaxed)
        {
            let old = pool.connection.clone();
            // Whoever has a connection of it keeps it; nobody waits for the silent ones.
            tokio::spawn(async move { timeout(ANSWER, old.close()).await });
            *place = Place::Empty;
        }
        match &*place {
            Place::Full(pool) => Ok(pool.clone()),
            Place::Closed => Err(StoreError::Closed {
                database: self.url().to_string(),
            }),
            Place::Empty => {
                let pool = connect::pool(self.url(), self.inner.connections);
                *place = Place::Full(pool.clone());
                Ok(pool)
            }
        }
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        let place = self.inner.pool.lock();
        place.unwrap_or_else(PoisonError::into_inner)
    }

    fn silent(&self, waited: Duration) -> StoreError {
        StoreError::Unreachable {
            database: self.url().to_string(),
            reason: format!("no answer within {} s", waited.as_secs()),
        }
    }

    /// Says what an error means. The pool swallows why it could not connect, so one task at a time asks again.
    async fn explain(&self, doing: &'static str, error: &DbErr) -> StoreError {
        let url = self.url();
        let Some(driver) = cause::driver(error) else {
            return StoreError::Failed {
                database: url.to_string(),
                doing,
                reason: error.to_string(),
            };
        };
        let remote = url.dialect() != Dialect::Sqlite;
        if remote
            && matches!(driver, sqlx::Error::PoolTimedOut)
            && let Ok(_asking) = self.inner.asking.try_lock()
        {
            return match connect::attempt(url).await {
                Err(error) => StoreError::from_driver(url, doing, &error),
                Ok(()) => StoreError::Unreachable {
                    database: url.to_string(),
                    reason: format!(
                        "all {} connections of this process have been in use for {} s",
                        self.inner.connections,
                        connect::acquire_timeout(url).as_secs()
                    ),
                },
            };
        }
        StoreError::from_driver(url, doing, driver)
    }
}
