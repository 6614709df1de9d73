//! One schema, whoever makes it, and back.

use kilonova_store::migration::{Migration, SCHEMA, Step};
use kilonova_store::sea_query::ColumnDef;
use kilonova_store::{Enrolled, Schema, StoreError, Synced};
use rstest::rstest;

use crate::figure;
use crate::place::{On, Place, at_once, list};

const API: &str = "nova-osapi_compute";

/// The next release adds a column, which the release before does not mind.
const NEXT: &[Migration] = &[
    SCHEMA[0],
    Migration {
        version: 2,
        oldest_reader: 1,
        steps: &[Step::Column {
            table: "services",
            name: "zone",
            definition: || {
                ColumnDef::new("zone")
                    .string_len(36)
                    .default("internal")
                    .to_owned()
            },
        }],
    },
];

/// The one after it takes a column away that the first needed.
const AFTER: &[Migration] = &[
    NEXT[0],
    NEXT[1],
    Migration {
        version: 3,
        oldest_reader: 2,
        steps: &[Step::Drop {
            table: "services",
            name: "disabled_reason",
        }],
    },
];

#[rstest]
#[tokio::test]
async fn many_processes_make_one_schema(#[values(On::Sqlite, On::Postgres, On::Mariadb)] on: On) {
    for _ in 0..figure(2, 10) {
        let place = Place::new(on);
        let synced = at_once(&place, figure(12, 48), async |_, store| store.sync().await);
        let made = Ok(Synced { from: 0, to: 1 });
        let found = Ok(Synced { from: 1, to: 1 });
        assert_eq!(
            synced.iter().filter(|done| **done == made).count(),
            1,
            "{synced:?}"
        );
        assert!(
            synced.iter().all(|done| *done == made || *done == found),
            "{synced:?}"
        );
        let rows = place.number("SELECT count(*) FROM kilonova_schema").await;
        assert_eq!(rows, 1);
        assert!(list(&place.store()).await.is_empty());
    }
}

#[rstest]
#[tokio::test]
async fn an_empty_database_has_version_0(#[values(On::Sqlite, On::Postgres, On::Mariadb)] on: On) {
    let place = Place::new(on);
    let store = place.store();
    let schema = |version, oldest_reader| Schema {
        version,
        oldest_reader,
        known: 1,
    };
    assert_eq!(store.schema().await, Ok(schema(0, 0)));
    assert_eq!(store.ping().await, Ok(()));
    let missing = store.services().list().await.unwrap_err();
    assert!(matches!(missing, StoreError::NotSynced { .. }), "{missing}");
    assert!(
        missing
            .to_string()
            .contains("run `kilonova-server db sync`"),
        "{missing}"
    );
    assert!(!missing.unreachable());
    assert_eq!(store.sync().await, Ok(Synced { from: 0, to: 1 }));
    assert_eq!(store.schema().await, Ok(schema(1, 1)));
    assert_eq!(store.sync().await, Ok(Synced { from: 1, to: 1 }));
}

#[rstest]
#[tokio::test]
async fn a_rollout_goes_back(#[values(On::Sqlite, On::Postgres, On::Mariadb)] on: On) {
    let (place, old) = Place::synced(on).await;
    let enroll = async |store: &kilonova_store::Store, host: &str| {
        let services = store.services();
        let enrolled = services.enroll(host, API, 73, false).await;
        assert_eq!(enrolled, Ok(Enrolled::Created));
        assert_eq!(services.seen(host, API).await, Ok(true));
    };
    enroll(&old, "before").await;
    let new = place.store_of(NEXT);
    assert_eq!(new.sync().await, Ok(Synced { from: 1, to: 2 }));
    enroll(&new, "new").await;
    // The old release still writes while the new one is rolled out, and starts again when it is taken back.
    enroll(&old, "beside").await;
    let back = place.store();
    assert_eq!(back.sync().await, Ok(Synced { from: 2, to: 2 }));
    let known = Schema {
        version: 2,
        oldest_reader: 1,
        known: 1,
    };
    assert_eq!(back.schema().await, Ok(known));
    enroll(&back, "back").await;
    assert_eq!(back.services().seen("new", API).await, Ok(true));
    assert_eq!(new.sync().await, Ok(Synced { from: 2, to: 2 }));
    enroll(&new, "again").await;
    let hosts: Vec<_> = list(&back).await.into_iter().map(|row| row.host).collect();
    assert_eq!(hosts, ["before", "new", "beside", "back", "again"]);
    let zones = "SELECT count(*) FROM services WHERE zone = 'internal'";
    assert_eq!(place.number(zones).await, 5);
}

#[rstest]
#[tokio::test]
async fn a_schema_we_cannot_read_is_refused(
    #[values(On::Sqlite, On::Postgres, On::Mariadb)] on: On,
) {
    let place = Place::new(on);
    place.store_of(AFTER).sync().await.unwrap();
    let store = place.store();
    let refused = store.sync().await.unwrap_err();
    assert!(!refused.unreachable());
    assert_eq!(
        refused.to_string(),
        format!(
            "the schema of the database {} is at version 3 and needs a release that knows version 2; this one knows 1: install a later release",
            place.url
        )
    );
    let schema = store.schema().await.unwrap();
    assert_eq!(
        (schema.version, schema.oldest_reader),
        (3, 2),
        "it can still be shown"
    );
    assert_eq!(
        place.store_of(NEXT).sync().await,
        Ok(Synced { from: 3, to: 3 })
    );
}

#[rstest]
#[tokio::test]
async fn a_migration_that_was_cut_off_is_finished(
    #[values(On::Sqlite, On::Postgres, On::Mariadb)] on: On,
) {
    let (place, _) = Place::synced(on).await;
    // As MySQL leaves it: the table is there, the note that it was made is not.
    place.run("DELETE FROM kilonova_schema").await;
    place
        .run("ALTER TABLE services ADD COLUMN zone varchar(36) DEFAULT 'internal'")
        .await;
    let store = place.store_of(NEXT);
    assert_eq!(store.sync().await, Ok(Synced { from: 0, to: 2 }));
    let enrolled = store.services().enroll("pod", API, 73, false).await;
    assert_eq!(enrolled, Ok(Enrolled::Created));
}
