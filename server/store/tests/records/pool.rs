//! Connections: none before they are needed, and never more than allowed.

use kilonova_store::{Store, StoreError, Url};
use rstest::rstest;

use crate::figure;
use crate::place::{On, Place, server};

#[test]
fn opening_a_store_needs_neither_runtime_nor_database() {
    let url = Url::parse("postgresql://nova:secret@127.0.0.1:1/nova").unwrap();
    let store = Store::open(&url, 5).unwrap();
    assert_eq!(
        format!("{store:?} {:?}", store.services()),
        "Store(postgresql://nova:***@127.0.0.1:1/nova) Services { store: Store(postgresql://nova:***@127.0.0.1:1/nova) }"
    );
}

#[rstest]
#[tokio::test]
async fn a_store_stays_within_its_connections(#[values(On::Postgres, On::Mariadb)] on: On) {
    const CONNECTIONS: usize = 3;
    let (place, first) = Place::synced(on).await;
    first.close().await;
    assert_eq!(
        first.ping().await.unwrap_err(),
        StoreError::Closed {
            database: place.url.to_string()
        }
    );
    let server = server(on);
    kilonova_probe::wait_for("the closed store to be gone", || {
        (server.connections(&place.name) == 0).then_some(())
    });
    let store = Store::open(&place.url, 3).unwrap();
    assert_eq!(
        server.connections(&place.name),
        0,
        "none before it is needed"
    );
    let tasks: Vec<_> = (0..24)
        .map(|number| {
            let services = store.services();
            tokio::spawn(async move {
                let host = format!("pod-{number}");
                services
                    .enroll(&host, "nova-osapi_compute", 73, false)
                    .await?;
                for _ in 0..figure(20, 200) {
                    services.seen(&host, "nova-osapi_compute").await?;
                }
                Ok::<_, StoreError>(())
            })
        })
        .collect();
    let mut most = 0;
    while !tasks.iter().all(tokio::task::JoinHandle::is_finished) {
        let (name, counted) = (place.name.clone(), server);
        let count = tokio::task::spawn_blocking(move || counted.connections(&name));
        most = most.max(count.await.unwrap());
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(most, CONNECTIONS);
    assert_eq!(store.services().list().await.unwrap().len(), 24);
}

#[rstest]
#[tokio::test]
async fn tls_is_used_and_checked_as_the_url_says(#[values(On::Postgres, On::Mariadb)] on: On) {
    let place = Place::new(on);
    let server = server(on);
    let authority = server.authority_file();
    let foreign = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(foreign.path(), kilonova_probe::Authority::new().pem()).unwrap();
    let (off, any, full, by) = match on {
        On::Mariadb => (
            "ssl_disabled=true",
            "ssl_mode=REQUIRED",
            "ssl_mode=VERIFY_IDENTITY",
            "ssl_ca",
        ),
        _ => (
            "sslmode=disable",
            "sslmode=require",
            "sslmode=verify-full",
            "sslrootcert",
        ),
    };
    // On PostgreSQL this user comes in by SCRAM.
    let (user, right) = match on {
        On::Mariadb => (
            "CREATE USER sealed IDENTIFIED BY 's3cret@/:%' REQUIRE SSL",
            format!("GRANT ALL ON {}.* TO sealed", place.name),
        ),
        _ => (
            "CREATE ROLE sealed LOGIN PASSWORD 's3cret@/:%'",
            format!("GRANT ALL ON DATABASE {} TO sealed", place.name),
        ),
    };
    server.administer("", user);
    server.administer("", &right);
    let text = place.text.replace("nova:", "sealed:");
    // Whether the connection is encrypted, by the server's account: PostgreSQL shows it, MariaDB insists for this user.
    let encrypted = async |parameters: &str| {
        let url = Url::parse(&format!("{text}?{parameters}")).unwrap();
        let store = Store::open(&url, 1).unwrap();
        let answered = store.ping().await;
        let with_tls = match (on, answered) {
            (On::Mariadb, Err(StoreError::Denied { .. })) => Ok(false),
            (_, Err(error)) => Err(error),
            (On::Mariadb, Ok(())) => Ok(true),
            (_, Ok(())) => {
                let name = &place.name;
                let shown = server.administer(
                    "",
                    &format!("SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE datname = '{name}'"),
                );
                Ok(shown == "t")
            }
        };
        store.close().await;
        with_tls
    };
    let trusted = format!("{full}&{by}={}", authority.display());
    let untrusted = format!("{full}&{by}={}", foreign.path().display());
    assert_eq!(encrypted(off).await, Ok(false));
    assert_eq!(encrypted("").await, Ok(true), "offered, so used");
    assert_eq!(encrypted(any).await, Ok(true));
    assert_eq!(encrypted(&trusted).await, Ok(true));
    let refused = encrypted(&untrusted).await.unwrap_err();
    assert!(matches!(refused, StoreError::Tls { .. }), "{refused}");
    assert!(!refused.unreachable());
    let missing = format!("{full}&{by}=/does/not/exist.pem");
    let refused = Store::open(
        &Url::parse(&format!("{}?{missing}", place.text)).unwrap(),
        1,
    )
    .unwrap_err();
    assert!(matches!(refused, StoreError::File { .. }), "{refused}");
    assert!(
        refused.to_string().contains("/does/not/exist.pem"),
        "{refused}"
    );
}
