//! A service's record from its start to its end.

use std::time::{Duration, SystemTime};

use kilonova_store::{Enrolled, StoreError};
use rstest::rstest;

use crate::figure;
use crate::place::{On, Place, at_once, list};

const API: &str = "nova-osapi_compute";

#[rstest]
#[tokio::test]
async fn workers_of_three_supervisors_enroll_at_once(
    #[values(On::Sqlite, On::Postgres, On::Mariadb)] on: On,
) {
    const WORKERS: usize = 8;
    let (place, store) = Place::synced(on).await;
    for round in 0..figure(3, 20) {
        let host = |index: usize| format!("pod-{round}-{}", index / WORKERS);
        for (version, first) in [
            (73, Enrolled::Created),
            (74, Enrolled::Updated { from: 73 }),
        ] {
            let enrolled = at_once(&place, 3 * WORKERS, async |index, store| {
                let services = store.services();
                services.enroll(&host(index), API, version, true).await
            });
            for supervisor in enrolled.chunks(WORKERS) {
                let firsts = supervisor.iter().filter(|done| **done == Ok(first)).count();
                let others = supervisor
                    .iter()
                    .filter(|done| **done == Ok(Enrolled::Unchanged))
                    .count();
                assert_eq!((firsts, others), (1, WORKERS - 1), "{supervisor:?}");
            }
            let rows = list(&store).await;
            let mut hosts: Vec<_> = rows.iter().map(|row| row.host.clone()).collect();
            hosts.sort();
            assert_eq!(hosts, [host(0), host(WORKERS), host(2 * WORKERS)]);
            for row in &rows {
                assert_eq!((row.binary.as_str(), row.version), (API, version));
                assert!(row.uuid.is_some() && row.topic.is_none());
                assert!(!row.disabled && !row.forced_down);
            }
        }
        for row in list(&store).await {
            store.services().remove(&row.host, API).await.unwrap();
        }
    }
}

#[rstest]
#[tokio::test]
async fn a_service_is_seen_until_it_is_removed(
    #[values(On::Sqlite, On::Postgres, On::Mariadb)] on: On,
) {
    let (_place, store) = Place::synced(on).await;
    let services = store.services();
    let before = SystemTime::now() - Duration::from_secs(1);
    assert_eq!(services.seen("pod", API).await, Ok(false), "no row yet");
    services.enroll("pod", API, 73, false).await.unwrap();
    services.enroll("other", API, 73, false).await.unwrap();
    let row = &list(&store).await[0];
    assert_eq!((row.report_count, row.last_seen_up), (0, None));
    let created = row.created_at.unwrap();
    assert!(
        (before..=SystemTime::now()).contains(&created),
        "{created:?}"
    );
    for count in 1..=2 {
        assert_eq!(services.seen("pod", API).await, Ok(true));
        let row = &list(&store).await[0];
        assert_eq!(row.report_count, count);
        assert!((before..=SystemTime::now()).contains(&row.last_seen_up.unwrap()));
    }
    services.remove("pod", API).await.unwrap();
    services.remove("pod", API).await.unwrap();
    assert_eq!(services.seen("pod", API).await, Ok(false));
    let rows = list(&store).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].host, "other");
}

#[rstest]
#[tokio::test]
async fn a_row_of_an_old_release_is_completed(
    #[values(On::Sqlite, On::Postgres, On::Mariadb)] on: On,
) {
    let (place, store) = Place::synced(on).await;
    let services = store.services();
    services.enroll("pod", API, 73, false).await.unwrap();
    place
        .run("UPDATE services SET uuid = NULL, created_at = NULL, version = NULL")
        .await;
    let enrolled = services.enroll("pod", API, 73, false).await;
    assert_eq!(enrolled, Ok(Enrolled::Updated { from: 0 }));
    place
        .run("UPDATE services SET last_seen_up = '2001-01-01 00:00:00'")
        .await;
    let enrolled = services.enroll("pod", API, 73, false).await;
    assert_eq!(enrolled, Ok(Enrolled::Unchanged));
    let row = &list(&store).await[0];
    assert_eq!(row.uuid.as_ref().map(String::len), Some(36));
    let age = row.last_seen_up.unwrap().elapsed().unwrap();
    assert!(
        age < Duration::from_secs(30),
        "or it would be swept: {age:?}"
    );
    // One that nova deleted does not count.
    place
        .run("UPDATE services SET deleted = id, deleted_at = '2001-01-01 00:00:00'")
        .await;
    let enrolled = services.enroll("pod", API, 73, false).await;
    assert_eq!(enrolled, Ok(Enrolled::Created));
}

#[rstest]
#[tokio::test]
async fn a_service_older_than_all_others_is_refused(
    #[values(On::Sqlite, On::Postgres, On::Mariadb)] on: On,
) {
    let (place, store) = Place::synced(on).await;
    let services = store.services();
    let make = async |host: &str, version| {
        services.enroll(host, API, version, true).await.unwrap();
    };
    make("new-1", 74).await;
    make("new-2", 75).await;
    let refused = services.enroll("old", API, 73, false).await.unwrap_err();
    assert_eq!(
        refused,
        StoreError::ServiceTooOld {
            this: 73,
            minimum: 74
        }
    );
    assert_eq!(
        refused.to_string(),
        "This service is older (v73) than the minimum (v74) version of the rest of the deployment. Unable to continue."
    );
    assert!(!refused.unreachable());
    assert_eq!(list(&store).await.len(), 2, "nothing was written");
    // Another binary is none of its business, and neither is one that is as old.
    let other = services.enroll("old", "nova-metadata", 73, false).await;
    assert_eq!(other, Ok(Enrolled::Created));
    let allowed = services.enroll("old", API, 73, true).await;
    assert_eq!(allowed, Ok(Enrolled::Created));
    let beside = services.enroll("old-2", API, 73, false).await;
    assert_eq!(beside, Ok(Enrolled::Created), "the lowest counts");
    // What a later release left in its own row does not stop it.
    services.remove("old", API).await.unwrap();
    services.remove("old-2", API).await.unwrap();
    for gone in [
        "deleted = id",
        "forced_down = true",
        "last_seen_up = '2001-01-01 00:00:00'",
        "last_seen_up = NULL, created_at = '2001-01-01 00:00:00'",
        "last_seen_up = NULL, created_at = NULL",
    ] {
        place
            .run(
                &format!("UPDATE services SET {gone} WHERE binary_name = '{API}'")
                    .replace("binary_name", quoted(on)),
            )
            .await;
        let enrolled = services.enroll("new-1", API, 73, false).await;
        assert!(enrolled.is_ok(), "{gone}: {enrolled:?}");
        place.run("DELETE FROM services").await;
        make("new-1", 74).await;
        make("new-2", 74).await;
        let refused = services.enroll("old", API, 73, false).await;
        assert!(refused.is_err(), "they live: {refused:?}");
    }
}

/// `binary` is a word of MySQL's.
fn quoted(on: On) -> &'static str {
    if on == On::Mariadb {
        "`binary`"
    } else {
        "\"binary\""
    }
}
