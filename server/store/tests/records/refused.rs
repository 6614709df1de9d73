//! What a wrong URL says.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Instant;

use kilonova_probe::database::ENCODED_PASSWORD;
use kilonova_store::{Store, StoreError, Url};
use rstest::rstest;

use crate::place::{On, Place, server};

fn no_password(error: &StoreError) {
    let shown = format!("{error} {error:?}");
    assert!(
        !shown.contains("s3cret") && shown.contains("nova:***@"),
        "{shown}"
    );
}

#[rstest]
#[tokio::test]
async fn a_wrong_password_or_user_is_denied(#[values(On::Postgres, On::Mariadb)] on: On) {
    let place = Place::new(on);
    for (right, wrong) in [(ENCODED_PASSWORD, "s3cret-too"), ("nova:", "nobody:")] {
        let store = place.store_at(right, wrong);
        let refused = store.sync().await.unwrap_err();
        assert!(matches!(refused, StoreError::Denied { .. }), "{refused}");
        assert!(!refused.unreachable());
        assert!(
            refused.to_string().contains("check the user and password"),
            "{refused}"
        );
        let shown = format!("{refused} {refused:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}

#[rstest]
#[tokio::test]
async fn an_unknown_database_is_named(#[values(On::Postgres, On::Mariadb)] on: On) {
    let place = Place::new(on);
    if on == On::Mariadb {
        // Without this MariaDB does not tell a user whether there is such a database.
        server(on).administer("", "GRANT SELECT ON `absent%`.* TO nova");
    }
    let store = place.store_at(&format!("/{}", place.name), "/absent");
    let refused = store.sync().await.unwrap_err();
    assert!(
        matches!(refused, StoreError::UnknownDatabase { .. }),
        "{refused}"
    );
    assert!(!refused.unreachable());
    assert!(
        refused.to_string().contains("/absent does not exist"),
        "{refused}"
    );
    no_password(&refused);
}

#[rstest]
#[tokio::test]
async fn a_port_where_nobody_listens_is_unreachable(#[values(On::Postgres, On::Mariadb)] on: On) {
    let place = Place::new(on);
    let port = format!(":{}/", server(on).port());
    let text = place.text.replace(&port, ":1/");
    let store = store(&text);
    let before = Instant::now();
    let refused = store.sync().await.unwrap_err();
    assert!(refused.unreachable());
    assert!(
        refused.to_string().contains("Connection refused"),
        "{refused}"
    );
    assert!(refused.to_string().contains("127.0.0.1:1/"), "{refused}");
    assert!(before.elapsed().as_secs() < 5, "{:?}", before.elapsed());
    no_password(&refused);
}

#[rstest]
#[tokio::test]
async fn a_host_that_says_nothing_is_unreachable(#[values(On::Postgres, On::Mariadb)] on: On) {
    // It accepts, as its kernel does, and never answers.
    let mute = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let place = Place::new(on);
    let port = format!(":{}/", server(on).port());
    let text = place
        .text
        .replace(&port, &format!(":{}/", mute.local_addr().unwrap().port()));
    let store = store(&text);
    let refused = store.ping().await.unwrap_err();
    assert!(refused.unreachable(), "{refused}");
    no_password(&refused);
}

#[tokio::test]
async fn another_kind_of_server_is_no_mystery() {
    let place = Place::new(On::Postgres);
    let port = format!(":{}/", server(On::Postgres).port());
    let other = format!(":{}/", server(On::Mariadb).port());
    let text = place.text.replace(&port, &other);
    let refused = store(&text).ping().await.unwrap_err();
    assert!(!refused.unreachable(), "{refused}");
    assert!(
        refused.to_string().ends_with("is it a PostgreSQL server?"),
        "{refused}"
    );
    no_password(&refused);
}

/// An impatient one.
fn store(text: &str) -> Store {
    let url = Url::parse(&format!("{text}?connect_timeout=1")).unwrap();
    Store::open(&url, 2).unwrap()
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_named() {
    let url = Url::parse("sqlite:////does/not/exist/nova").unwrap();
    let refused = Store::open(&url, 2).unwrap().sync().await.unwrap_err();
    assert!(matches!(refused, StoreError::File { .. }), "{refused}");
    assert!(!refused.unreachable());
    assert!(
        refused.to_string().contains("its directory must exist"),
        "{refused}"
    );
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("text");
    std::fs::write(&file, "not a database, whatever its name says, and long enough to have a header of 100 bytes, which it lacks").unwrap();
    let url = Url::parse(&format!("sqlite:///{}", file.display())).unwrap();
    let refused = Store::open(&url, 2).unwrap().sync().await.unwrap_err();
    assert!(matches!(refused, StoreError::File { .. }), "{refused}");
}

#[rstest]
#[tokio::test]
async fn too_many_connections_are_worth_waiting_for(#[values(On::Postgres, On::Mariadb)] on: On) {
    let place = Place::new(on);
    let server = server(on);
    let limit = match on {
        On::Mariadb => "GRANT USAGE ON *.* TO crowd WITH MAX_USER_CONNECTIONS 1",
        _ => "ALTER ROLE crowd CONNECTION LIMIT 1",
    };
    let user = match on {
        On::Mariadb => "CREATE USER crowd IDENTIFIED BY 's3cret@/:%'",
        _ => "CREATE ROLE crowd LOGIN PASSWORD 's3cret@/:%'",
    };
    server.administer("", user);
    server.administer("", limit);
    if on == On::Mariadb {
        server.administer("", &format!("GRANT ALL ON {}.* TO crowd", place.name));
    }
    let text = place.text.replace("nova:", "crowd:");
    let url = Url::parse(&format!("{text}?connect_timeout=1")).unwrap();
    let holder = Store::open(&url, 1).unwrap();
    holder.ping().await.unwrap();
    let waiting = Store::open(&url, 1).unwrap();
    let refused = waiting.ping().await.unwrap_err();
    assert!(refused.unreachable(), "{refused}");
    assert!(refused.to_string().contains("connections"), "{refused}");
    holder.close().await;
    let after = waiting.ping().await;
    assert_eq!(after, Ok(()));
}
