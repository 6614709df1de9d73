//! From a URL to connections.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sea_orm::{DatabaseConnection, SqlxMySqlConnector, SqlxPostgresConnector, SqlxSqliteConnector};
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::pool::{PoolConnectionMetadata, PoolOptions};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Database};
use tokio::time::timeout;

use crate::error::StoreError;
use crate::url::{Dialect, Tls, Url, Verify};

/// How long to wait for a connection unless the URL says so.
const ACQUIRE: Duration = Duration::from_secs(5);
/// A connection that nobody used for so long is closed.
const IDLE: Duration = Duration::from_secs(60);
/// A connection that nobody used for so long is asked whether it still lives before it is used.
const DOUBTFUL: Duration = Duration::from_secs(1);
/// How long a connection may take to answer such a question.
const PING: Duration = Duration::from_secs(2);
/// Each connection to SQLite is a thread, and only one of them writes at a time.
const MOST_TO_A_FILE: u32 = 4;

/// How long to wait for a connection.
pub(crate) fn acquire_timeout(url: &Url) -> Duration {
    match url.dialect {
        Dialect::Sqlite => ACQUIRE,
        Dialect::Postgres | Dialect::Mysql => url.timeout.unwrap_or(ACQUIRE),
    }
}

/// Reads the files TLS needs once, so that a wrong path is one clear error and not a connection that never comes.
pub(crate) fn check_files(url: &Url) -> Result<(), StoreError> {
    let Tls {
        authority,
        certificate,
        key,
        ..
    } = &url.tls;
    let failed = |reason: String| StoreError::File {
        database: url.to_string(),
        reason,
    };
    for file in [authority, certificate, key].into_iter().flatten() {
        fs::read(file).map_err(|error| failed(format!("{}: {error}", file.display())))?;
    }
    if certificate.is_some() != key.is_some() {
        return Err(failed(
            "a client certificate and its key must be given together".to_owned(),
        ));
    }
    Ok(())
}

/// Connections, made when they are asked for.
#[derive(Clone)]
pub(crate) struct Pool {
    pub(crate) connection: DatabaseConnection,
    /// Whether one of them was found open and silent. Over TLS, sqlx waits for such a connection to speak even to close
    /// it, and its place in the pool stays taken: the whole pool is better replaced.
    pub(crate) silent: Arc<AtomicBool>,
}

/// A pool that makes its connections when they are asked for.
pub(crate) fn pool(url: &Url, connections: u32) -> Pool {
    let silent = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&silent);
    let connection = match url.dialect {
        Dialect::Sqlite => {
            let options = pool_options(url, connections.min(MOST_TO_A_FILE));
            SqlxSqliteConnector::from_sqlx_sqlite_pool(
                options.connect_lazy_with(sqlite(url, busy_timeout(url))),
            )
        }
        Dialect::Postgres => SqlxPostgresConnector::from_sqlx_postgres_pool(
            remote(pool_options(url, connections), noted).connect_lazy_with(postgres(url)),
        ),
        Dialect::Mysql => SqlxMySqlConnector::from_sqlx_mysql_pool(
            remote(pool_options(url, connections), noted).connect_lazy_with(mysql(url)),
        ),
    };
    Pool { connection, silent }
}

/// A single connection, for what must not change connections in between, and that waits for SQLite's lock so long.
pub(crate) fn single(url: &Url, busy: Duration) -> DatabaseConnection {
    match url.dialect {
        Dialect::Sqlite => SqlxSqliteConnector::from_sqlx_sqlite_pool(
            pool_options(url, 1).connect_lazy_with(sqlite(url, busy)),
        ),
        Dialect::Postgres | Dialect::Mysql => pool(url, 1).connection,
    }
}

/// Connects once without a pool, to hear why a pool did not.
pub(crate) async fn attempt(url: &Url) -> Result<(), sqlx::Error> {
    let attempt = async {
        match url.dialect {
            Dialect::Sqlite => {
                sqlite(url, busy_timeout(url))
                    .connect()
                    .await?
                    .close()
                    .await
            }
            Dialect::Postgres => postgres(url).connect().await?.close().await,
            Dialect::Mysql => mysql(url).connect().await?.close().await,
        }
    };
    let late = |_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
    timeout(PING, attempt).await.map_err(late)?
}

fn busy_timeout(url: &Url) -> Duration {
    url.timeout.unwrap_or(ACQUIRE)
}

fn pool_options<D: Database>(url: &Url, connections: u32) -> PoolOptions<D> {
    PoolOptions::new()
        .max_connections(connections.max(1))
        .acquire_timeout(acquire_timeout(url))
        .idle_timeout(IDLE)
        .test_before_acquire(false)
}

/// A connection over the network can die unnoticed: one that was idle is asked first, and so is one that comes back,
/// for its user may have given up waiting.
fn remote<D: Database>(options: PoolOptions<D>, silent: Arc<AtomicBool>) -> PoolOptions<D> {
    let noted = Arc::clone(&silent);
    options
        .before_acquire(move |connection, seen: PoolConnectionMetadata| {
            let silent = Arc::clone(&silent);
            Box::pin(async move {
                if seen.idle_for > DOUBTFUL {
                    ping(connection, &silent).await?;
                }
                Ok(true)
            })
        })
        .after_release(move |connection, _| {
            let silent = Arc::clone(&noted);
            Box::pin(async move { ping(connection, &silent).await.map(|()| true) })
        })
}

async fn ping<C: Connection>(connection: &mut C, silent: &AtomicBool) -> Result<(), sqlx::Error> {
    if let Ok(answered) = timeout(PING, connection.ping()).await {
        return answered;
    }
    silent.store(true, Ordering::Relaxed);
    Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))
}

fn sqlite(url: &Url, busy: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(&url.database)
        .create_if_missing(true)
        .busy_timeout(busy)
}

fn postgres(url: &Url) -> PgConnectOptions {
    let mut options = PgConnectOptions::new_without_pgpass()
        .database(&url.database)
        .application_name(url.application.as_deref().unwrap_or("kilonova"))
        .ssl_mode(match url.tls.verify {
            Verify::Off => PgSslMode::Disable,
            Verify::IfOffered => PgSslMode::Prefer,
            Verify::Any => PgSslMode::Require,
            Verify::Authority => PgSslMode::VerifyCa,
            Verify::Identity => PgSslMode::VerifyFull,
        });
    if let Some(host) = &url.host {
        options = options.host(host);
    }
    options = options.port(url.port.unwrap_or(5432));
    if let Some(socket) = &url.socket {
        options = options.socket(socket);
    }
    if let Some(username) = &url.username {
        options = options.username(username);
    }
    if let Some(password) = &url.password {
        options = options.password(password);
    }
    if let Some(authority) = &url.tls.authority {
        options = options.ssl_root_cert(authority);
    }
    if let (Some(certificate), Some(key)) = (&url.tls.certificate, &url.tls.key) {
        options = options.ssl_client_cert(certificate).ssl_client_key(key);
    }
    options
}

fn mysql(url: &Url) -> MySqlConnectOptions {
    let mut options = MySqlConnectOptions::new()
        .host(url.host.as_deref().unwrap_or("localhost"))
        .port(url.port.unwrap_or(3306))
        .database(&url.database)
        .pipes_as_concat(false)
        .ssl_mode(match url.tls.verify {
            Verify::Off => MySqlSslMode::Disabled,
            Verify::IfOffered => MySqlSslMode::Preferred,
            Verify::Any => MySqlSslMode::Required,
            Verify::Authority => MySqlSslMode::VerifyCa,
            Verify::Identity => MySqlSslMode::VerifyIdentity,
        });
    if let Some(socket) = &url.socket {
        options = options.socket(socket);
    }
    if let Some(username) = &url.username {
        options = options.username(username);
    }
    if let Some(password) = &url.password {
        options = options.password(password);
    }
    if let Some(authority) = &url.tls.authority {
        options = options.ssl_ca(authority);
    }
    if let (Some(certificate), Some(key)) = (&url.tls.certificate, &url.tls.key) {
        options = options.ssl_client_cert(certificate).ssl_client_key(key);
    }
    options
}
