//! Which schema a database has, and bringing it up to date.

mod inspect;
mod lock;

use std::time::Duration;

use sea_orm::sea_query::{ColumnDef, Expr, Query, Table, TableCreateStatement};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr};

use tokio::time::timeout;

use crate::clock;
use crate::error::StoreError;
use crate::migration::{BOOKKEEPING, Migration, NewTable, Step, bookkeeping};
use crate::url::Url;

/// How long to wait for another process that brings the schema up to date.
pub(crate) const LOCK: Duration = Duration::from_secs(60);

/// How long a connection may take to say goodbye.
const CLOSE: Duration = Duration::from_secs(2);

/// What `db version` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The version the database has; 0 when it has none of our tables.
    pub version: u32,
    /// The oldest release that can use it, by the newest version that release knows; 0 with version 0.
    pub oldest_reader: u32,
    /// The newest version this release knows.
    pub known: u32,
}

/// What bringing the schema up to date did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synced {
    /// The version before; 0 when the database was empty.
    pub from: u32,
    /// The version after. Equal to `from` when there was nothing to do, and above what this release knows when a later
    /// one was here.
    pub to: u32,
}

impl Schema {
    /// Whether this release can use the database as far as the future is concerned: no later release has taken away
    /// what it needs.
    pub fn readable(&self) -> bool {
        self.oldest_reader <= self.known
    }

    /// Whether nothing is left for `db sync` to do.
    pub fn current(&self) -> bool {
        self.version >= self.known
    }

    /// The error of a database that is not [`Schema::readable`].
    pub(crate) fn check(self, url: &Url) -> Result<Self, StoreError> {
        if self.readable() {
            return Ok(self);
        }
        Err(StoreError::SchemaTooNew {
            database: url.to_string(),
            version: self.version,
            oldest_reader: self.oldest_reader,
            known: self.known,
        })
    }
}

/// Why a migration stopped.
pub(crate) enum Stopped {
    Database(DbErr),
    Store(StoreError),
}

impl From<DbErr> for Stopped {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Reads the bookkeeping. The error of a database without it is the caller's to understand.
pub(crate) async fn read(
    connection: &impl ConnectionTrait,
    known: &[Migration],
) -> Result<Schema, DbErr> {
    let rows = Query::select()
        .columns(["version", "oldest_reader"])
        .from(BOOKKEEPING)
        .to_owned();
    let mut schema = empty(known);
    for row in connection.query_all(&rows).await? {
        let number = |column| row.try_get::<i32>("", column).map(i32::unsigned_abs);
        schema.version = schema.version.max(number("version")?);
        schema.oldest_reader = schema.oldest_reader.max(number("oldest_reader")?);
    }
    Ok(schema)
}

/// What a database without bookkeeping has.
pub(crate) fn empty(known: &[Migration]) -> Schema {
    Schema {
        version: 0,
        oldest_reader: 0,
        known: known.last().map_or(0, |migration| migration.version),
    }
}

/// Brings the schema up to date. Only one process does at a time; the others wait, and find nothing left to do.
pub(crate) async fn sync(url: &Url, migrations: &[Migration]) -> Result<Synced, Stopped> {
    let single = crate::connect::single(url, LOCK);
    let outcome = async {
        let transaction = lock::begin(&single, url).await?;
        let outcome = migrate(&transaction, url, migrations).await;
        // The lock goes with the connection or the transaction, whichever way this ends.
        match outcome {
            Ok(_) => transaction.commit().await?,
            Err(_) => drop(transaction),
        }
        outcome
    }
    .await;
    // Should it say nothing any more, it is dropped.
    let _ = timeout(CLOSE, single.close()).await;
    outcome
}

async fn migrate(
    transaction: &DatabaseTransaction,
    url: &Url,
    migrations: &[Migration],
) -> Result<Synced, Stopped> {
    create(transaction, bookkeeping()).await?;
    let before = read(transaction, migrations).await?.check(url)?;
    let mut to = before.version;
    for migration in migrations {
        if migration.version <= before.version {
            continue;
        }
        for step in migration.steps {
            apply(transaction, url, step).await?;
        }
        let done = Query::insert()
            .into_table(BOOKKEEPING)
            .columns(["version", "oldest_reader", "applied_at"])
            .values_panic([
                Expr::val(migration.version.cast_signed()),
                Expr::val(migration.oldest_reader.cast_signed()),
                Expr::val(clock::now()),
            ])
            .to_owned();
        transaction.execute(&done).await?;
        to = migration.version;
    }
    Ok(Synced {
        from: before.version,
        to,
    })
}

async fn apply(transaction: &DatabaseTransaction, url: &Url, step: &Step) -> Result<(), Stopped> {
    match step {
        Step::Table(table) => make(transaction, url, table).await,
        Step::Column {
            table,
            name,
            definition,
        } => {
            if !has_column(transaction, table, name).await? {
                let mut column: ColumnDef = definition();
                let change = Table::alter()
                    .table(*table)
                    .add_column(&mut column)
                    .to_owned();
                transaction.execute(&change).await?;
            }
            Ok(())
        }
        Step::Drop { table, name } => {
            if has_column(transaction, table, name).await? {
                let change = Table::alter().table(*table).drop_column(*name).to_owned();
                transaction.execute(&change).await?;
            }
            Ok(())
        }
    }
}

/// Makes a table. One of its name that is there already, nova's own or from a migration that was cut off, stays exactly
/// as it is: what it lacks would have to be changed by whoever made it.
async fn make(
    transaction: &DatabaseTransaction,
    url: &Url,
    table: &NewTable,
) -> Result<(), Stopped> {
    let columns = inspect::columns(transaction, table.name).await?;
    if columns.is_empty() {
        return Ok(create(transaction, (table.definition)()).await?);
    }
    let unique = inspect::unique(transaction, table.name).await?;
    let lacks = inspect::lacking(table, &columns, &unique);
    if lacks.is_empty() {
        return Ok(());
    }
    Err(Stopped::Store(StoreError::ForeignTable {
        database: url.to_string(),
        table: table.name.to_owned(),
        lacks,
    }))
}

async fn create(
    transaction: &DatabaseTransaction,
    mut table: TableCreateStatement,
) -> Result<(), DbErr> {
    if transaction.get_database_backend() == DbBackend::MySql {
        // Whatever the server's defaults are; the library would write it for the others too.
        table.engine("InnoDB").character_set("utf8mb4");
    }
    transaction.execute(&table).await.map(|_| ())
}

async fn has_column(
    transaction: &DatabaseTransaction,
    table: &str,
    name: &str,
) -> Result<bool, DbErr> {
    let columns = inspect::columns(transaction, table).await?;
    Ok(columns.iter().any(|column| column == name))
}
