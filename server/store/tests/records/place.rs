//! A database for one test, in a server that all tests of this program share.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, OnceLock};
use std::thread;

use kilonova_probe::{Database, Kind};
use kilonova_store::{Migration, Service, Store, StoreError, Url};
use sqlx::{
    AssertSqlSafe, Connection, MySqlConnection, PgConnection, SqliteConnection, query_scalar,
    raw_sql,
};
use tempfile::TempDir;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    Sqlite,
    Postgres,
    Mariadb,
}

pub struct Place {
    pub on: On,
    pub name: String,
    pub text: String,
    pub url: Url,
    _directory: TempDir,
}

/// The server of a kind: started once, ended with this program.
pub fn server(on: On) -> &'static Database {
    static POSTGRES: OnceLock<Database> = OnceLock::new();
    static MARIADB: OnceLock<Database> = OnceLock::new();
    match on {
        On::Sqlite => panic!("SQLite has no server"),
        On::Postgres => POSTGRES.get_or_init(|| Database::start(Kind::Postgres)),
        On::Mariadb => MARIADB.get_or_init(|| Database::start(Kind::Mariadb)),
    }
}

impl Place {
    /// An empty database.
    pub fn new(on: On) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("records_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let directory = tempfile::tempdir().unwrap();
        let text = match on {
            On::Sqlite => format!("sqlite:///{}/{name}", directory.path().display()),
            On::Postgres | On::Mariadb => server(on).url(&name),
        };
        // Patient, as many tests share the machine, and without TLS, which takes most of a connection's time in a build
        // that is not optimised: the test of TLS asks for it.
        let parameters = match on {
            On::Sqlite => "timeout=60",
            On::Postgres => "sslmode=disable&connect_timeout=60",
            On::Mariadb => "ssl_disabled=true&connect_timeout=60",
        };
        Self {
            on,
            url: Url::parse(&format!("{text}?{parameters}")).unwrap(),
            name,
            text,
            _directory: directory,
        }
    }

    /// A database with our tables.
    pub async fn synced(on: On) -> (Self, Store) {
        let place = Self::new(on);
        let store = place.store();
        store.sync().await.unwrap();
        (place, store)
    }

    pub fn store(&self) -> Store {
        Store::open(&self.url, 4).unwrap()
    }

    pub fn store_of(&self, migrations: &'static [Migration]) -> Store {
        Store::open_as(&self.url, 4, migrations).unwrap()
    }

    /// The same database by another URL.
    pub fn store_at(&self, from: &str, to: &str) -> Store {
        assert!(self.text.contains(from));
        Store::open(&Url::parse(&self.text.replace(from, to)).unwrap(), 4).unwrap()
    }

    /// Runs statements as the URL's own user.
    pub async fn run(&self, sql: &str) {
        let sql = raw_sql(AssertSqlSafe(sql));
        match self.on {
            On::Sqlite => drop(sql.execute(&mut self.sqlite().await).await.unwrap()),
            On::Postgres => drop(sql.execute(&mut self.postgres().await).await.unwrap()),
            On::Mariadb => drop(sql.execute(&mut self.mariadb().await).await.unwrap()),
        }
    }

    /// A number.
    pub async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql);
        match self.on {
            On::Sqlite => query_scalar(sql).fetch_one(&mut self.sqlite().await).await,
            On::Postgres => {
                query_scalar(sql)
                    .fetch_one(&mut self.postgres().await)
                    .await
            }
            On::Mariadb => query_scalar(sql).fetch_one(&mut self.mariadb().await).await,
        }
        .unwrap()
    }

    async fn sqlite(&self) -> SqliteConnection {
        let path = self.text.strip_prefix("sqlite:///").unwrap();
        let url = format!("sqlite://{path}?mode=rwc");
        SqliteConnection::connect(&url).await.unwrap()
    }

    async fn postgres(&self) -> PgConnection {
        PgConnection::connect(&self.text).await.unwrap()
    }

    async fn mariadb(&self) -> MySqlConnection {
        let url = self.text.replace("+pymysql", "");
        MySqlConnection::connect(&url).await.unwrap()
    }
}

pub async fn list(store: &Store) -> Vec<Service> {
    store.services().list().await.unwrap()
}

/// Does something in so many threads at once, each with a runtime and a store of its own, as processes have.
pub fn at_once<T: Send>(
    place: &Place,
    threads: usize,
    work: impl AsyncFn(usize, Store) -> Result<T, StoreError> + Sync,
) -> Vec<Result<T, StoreError>> {
    let start = Arc::new(Barrier::new(threads));
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|index| {
                let start = Arc::clone(&start);
                let work = &work;
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .unwrap();
                    runtime.block_on(async {
                        let store = Store::open(&place.url, 2).unwrap();
                        start.wait();
                        let done = work(index, store.clone()).await;
                        store.close().await;
                        done
                    })
                })
            })
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}
