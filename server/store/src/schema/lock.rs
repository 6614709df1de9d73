//! The lock under which a schema changes.

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, SqliteTransactionMode,
    Statement, TransactionOptions, TransactionTrait,
};

use super::{LOCK, Stopped};
use crate::error::StoreError;
use crate::url::{Dialect, Url};

/// "kilonova" in ASCII: PostgreSQL's advisory locks are numbers, and belong to a database.
const NUMBER: i64 = 0x6b69_6c6f_6e6f_7661;

/// Begins the transaction that changes the schema, and waits until it is the only one.
pub(super) async fn begin(
    single: &DatabaseConnection,
    url: &Url,
) -> Result<DatabaseTransaction, Stopped> {
    match url.dialect {
        Dialect::Sqlite => {
            // Readers and the writer then do not wait for each other. It stays with the file, and is worth no error:
            // it cannot be changed while another process looks at the file, which then does it.
            let _ = single.execute_unprepared("PRAGMA journal_mode = WAL").await;
            let options = TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            };
            Ok(single.begin_with_options(options).await?)
        }
        Dialect::Postgres => {
            let transaction = single.begin().await?;
            let patience = format!("SET LOCAL lock_timeout = '{}s'", LOCK.as_secs());
            transaction.execute_unprepared(&patience).await?;
            let lock = format!("SELECT pg_advisory_xact_lock({NUMBER})");
            transaction.execute_unprepared(&lock).await?;
            Ok(transaction)
        }
        Dialect::Mysql => {
            // The lock belongs to the connection and its name to the whole server, so the database's is in it.
            let transaction = single.begin().await?;
            let lock = format!(
                "SELECT GET_LOCK(CONCAT('kilonova.', LEFT(SHA2(DATABASE(), 256), 48)), {}) AS locked",
                LOCK.as_secs()
            );
            let lock = Statement::from_string(DbBackend::MySql, lock);
            let row = transaction.query_one_raw(lock).await?;
            let locked: Option<i64> = match row {
                Some(row) => row.try_get("", "locked")?,
                None => None,
            };
            if locked == Some(1) {
                return Ok(transaction);
            }
            Err(Stopped::Store(StoreError::Unreachable {
                database: url.to_string(),
                reason: format!(
                    "another process has been changing its schema for {} s",
                    LOCK.as_secs()
                ),
            }))
        }
    }
}
