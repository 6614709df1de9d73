//! Databases that hold somebody's tables already.

use kilonova_store::{Enrolled, StoreError, Synced};
use rstest::rstest;

use crate::place::{On, Place, list};

const API: &str = "nova-osapi_compute";

/// What nova's own `nova-manage db sync` makes, as far as it bears on ours.
fn nova(on: On) -> Vec<String> {
    let (id, time, flag, name) = match on {
        On::Sqlite => (
            "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT",
            "DATETIME",
            "BOOLEAN",
            "binary",
        ),
        On::Postgres => (
            "SERIAL PRIMARY KEY",
            "TIMESTAMP WITHOUT TIME ZONE",
            "BOOLEAN",
            "binary",
        ),
        On::Mariadb => (
            "INTEGER NOT NULL AUTO_INCREMENT PRIMARY KEY",
            "DATETIME",
            "BOOL",
            "`binary`",
        ),
    };
    let name = if on == On::Postgres {
        "\"binary\""
    } else {
        name
    };
    vec![
        format!(
            "CREATE TABLE services (created_at {time}, updated_at {time}, deleted_at {time}, id {id},
             host VARCHAR(255), {name} VARCHAR(255), topic VARCHAR(255), report_count INTEGER NOT NULL,
             disabled {flag}, deleted INTEGER, disabled_reason VARCHAR(255), last_seen_up {time},
             forced_down {flag}, version INTEGER, uuid VARCHAR(36), since VARCHAR(36),
             CONSTRAINT uniq_services0host0topic0deleted UNIQUE (host, topic, deleted),
             CONSTRAINT uniq_services0host0binary0deleted UNIQUE (host, {name}, deleted))"
        ),
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)".to_owned(),
        "INSERT INTO alembic_version VALUES ('13863f4e1612')".to_owned(),
        format!(
            "INSERT INTO services (created_at, host, {name}, topic, report_count, disabled, deleted, forced_down, version, uuid, since)
             VALUES ('2020-01-01 00:00:00', 'compute-1', 'nova-compute', 'compute', 4711, true, 0, false, 61,
             '5b3d1f0e-0000-4000-8000-000000000001', 'kept')"
        ),
    ]
}

#[rstest]
#[tokio::test]
async fn novas_own_table_is_used_as_it_is(#[values(On::Sqlite, On::Postgres, On::Mariadb)] on: On) {
    let place = Place::new(on);
    for statement in nova(on) {
        place.run(&statement).await;
    }
    let store = place.store();
    assert_eq!(store.sync().await, Ok(Synced { from: 0, to: 1 }));
    let services = store.services();
    let enrolled = services.enroll("pod", API, 73, false).await;
    assert_eq!(enrolled, Ok(Enrolled::Created));
    assert_eq!(services.seen("pod", API).await, Ok(true));
    let hour = std::time::Duration::from_hours(1);
    let swept = services.sweep(&[API, "nova-metadata"], hour).await;
    assert_eq!(swept, Ok(0), "nova's own row stays");
    let rows = list(&store).await;
    let hosts: Vec<_> = rows.iter().map(|row| row.host.as_str()).collect();
    assert_eq!(hosts, ["compute-1", "pod"]);
    assert!(rows[0].disabled && rows[0].report_count == 4711 && rows[0].version == 61);
    for kept in [
        "SELECT count(*) FROM services WHERE since = 'kept' AND updated_at IS NULL",
        "SELECT count(*) FROM alembic_version WHERE version_num = '13863f4e1612'",
    ] {
        assert_eq!(place.number(kept).await, 1, "{kept}");
    }
}

#[rstest]
#[tokio::test]
async fn somebody_elses_table_is_refused_and_left_alone(
    #[values(On::Sqlite, On::Postgres, On::Mariadb)] on: On,
) {
    let place = Place::new(on);
    place
        .run("CREATE TABLE services (id INTEGER PRIMARY KEY, host VARCHAR(255), state VARCHAR(9))")
        .await;
    place
        .run("INSERT INTO services VALUES (1, 'cinder', 'up')")
        .await;
    let store = place.store();
    let refused = store.sync().await.unwrap_err();
    let StoreError::ForeignTable { table, lacks, .. } = &refused else {
        panic!("{refused}");
    };
    assert_eq!(table, "services");
    assert!(
        lacks.starts_with("the columns created_at, updated_at"),
        "{lacks}"
    );
    assert!(lacks.ends_with("a unique constraint on host, topic, deleted and a unique constraint on host, binary, deleted"), "{lacks}");
    assert!(
        refused
            .to_string()
            .ends_with("give Kilonova a database of its own")
    );
    assert_eq!(store.schema().await.unwrap().version, 0);
    assert_eq!(
        place
            .number("SELECT count(*) FROM services WHERE state = 'up'")
            .await,
        1
    );
}
