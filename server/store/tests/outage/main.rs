//! A database that goes away and comes back, without the store being opened again.

#![cfg(test)]

mod load;
mod proxy;

use std::time::Instant;

use kilonova_probe::{Database, Kind};
use kilonova_store::{Store, Url};
use rstest::rstest;

use load::{Load, TASKS};
use proxy::Proxy;

fn rounds() -> usize {
    match std::env::var("FULL") {
        Ok(full) if !full.is_empty() => 10,
        _ => 2,
    }
}

#[rstest]
#[tokio::test]
async fn a_restart_is_survived_under_load(#[values(Kind::Postgres, Kind::Mariadb)] kind: Kind) {
    let database = Database::start(kind);
    let url = format!("{}?connect_timeout=2", database.url("outage"));
    let url = Url::parse(&url).unwrap();
    let store = Store::open(&url, 1).unwrap();
    store.sync().await.unwrap();
    let load = Load::start(&url, 4);
    load.wait_done("the load to begin");
    for round in 0..rounds() {
        let before = load.counts(|tally| &tally.unreachable);
        database.stop();
        let error = store.ping().await.unwrap_err();
        assert!(error.unreachable(), "{error}");
        let said = format!("{error} {error:?}");
        assert!(!said.contains("s3cret"), "{said}");
        load.wait_noticed(&before);
        database.start_again();
        let back = Instant::now();
        load.wait_done("every task to go on");
        println!(
            "round {round}: all tasks go on {:?} after the start",
            back.elapsed()
        );
        assert!(database.connections("outage") <= 5);
    }
    load.end();
    let rows = store.services().list().await.unwrap();
    assert_eq!(rows.len(), TASKS);
}

#[tokio::test]
async fn a_silent_database_is_given_up_in_time() {
    let database = Database::start(Kind::Mariadb);
    let url = format!("{}?connect_timeout=2", database.url("silent"));
    let url = Url::parse(&url).unwrap();
    Store::open(&url, 1).unwrap().sync().await.unwrap();
    let load = Load::start(&url, 2);
    load.wait_done("the load to begin");
    database.freeze();
    let before = load.counts(|tally| &tally.unreachable);
    load.wait_noticed(&before);
    database.thaw();
    let back = Instant::now();
    load.wait_done("every task to go on");
    println!("all tasks go on {:?} after the thaw", back.elapsed());
    load.end();
}

/// A fail-over of the network: connections stay open and say nothing, new ones work. A pool that waited for its lost
/// connections would be empty for as long as TCP hopes, a quarter of an hour.
#[rstest]
#[tokio::test]
async fn lost_connections_are_replaced(#[values(Kind::Postgres, Kind::Mariadb)] kind: Kind) {
    let database = Database::start(kind);
    let proxy = Proxy::start(database.port());
    let direct = format!(":{}/", database.port());
    let text = database
        .url("lost")
        .replace(&direct, &format!(":{}/", proxy.port));
    let url = Url::parse(&format!("{text}?connect_timeout=1")).unwrap();
    let store = Store::open(&url, 2).unwrap();
    store.sync().await.unwrap();
    let services = store.services();
    let all = async || tokio::join!(services.list(), services.list());
    let (one, other) = all().await;
    assert_eq!((one, other), (Ok(Vec::new()), Ok(Vec::new())));
    proxy.forget();
    let before = Instant::now();
    let mut failed = 0;
    while let (Err(one), _) | (_, Err(one)) = all().await {
        assert!(one.unreachable(), "{one}");
        failed += 1;
        assert!(before.elapsed().as_secs() < 60, "{failed} failed: {one}");
    }
    println!("after {failed} failures, {:?}", before.elapsed());
    assert!(failed > 0, "the connections were not lost");
}
