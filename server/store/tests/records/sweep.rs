//! Removing what is no longer there.

use std::time::Duration;

use rstest::rstest;

use crate::place::{On, Place, list};

const API: &str = "nova-osapi_compute";
const METADATA: &str = "nova-metadata";
const HOUR: Duration = Duration::from_hours(1);

#[rstest]
#[tokio::test]
async fn stale_rows_of_ours_go_and_all_others_stay(
    #[values(On::Sqlite, On::Postgres, On::Mariadb)] on: On,
) {
    let (place, store) = Place::synced(on).await;
    let services = store.services();
    let old = "'2001-01-01 00:00:00'";
    let rows = [
        ("stale", API, "NULL", old, old, true),
        ("stale-metadata", METADATA, "NULL", old, old, true),
        ("never-seen", API, "NULL", "NULL", old, true),
        ("timeless", API, "NULL", "NULL", "NULL", true),
        ("old-but-seen", API, "NULL", "now", old, false),
        ("new", API, "NULL", "NULL", "now", false),
        ("other-binary", "nova-compute", "NULL", old, old, false),
        ("with-topic", API, "'compute'", old, old, false),
        ("compute", "nova-compute", "'compute'", old, old, false),
    ];
    for (host, binary, topic, seen, created, _) in rows {
        services.enroll(host, binary, 73, true).await.unwrap();
        services.seen(host, binary).await.unwrap();
        let mut changes = vec![format!("topic = {topic}")];
        for (column, value) in [("last_seen_up", seen), ("created_at", created)] {
            if value != "now" {
                changes.push(format!("{column} = {value}"));
            }
        }
        let changes = changes.join(", ");
        place
            .run(&format!(
                "UPDATE services SET {changes} WHERE host = '{host}'"
            ))
            .await;
    }
    let stay: Vec<_> = rows.iter().filter(|row| !row.5).map(|row| row.0).collect();
    assert_eq!(services.sweep(&[], HOUR).await, Ok(0));
    assert_eq!(services.sweep(&[METADATA], HOUR).await, Ok(1));
    assert_eq!(services.sweep(&[API, METADATA], HOUR).await, Ok(3));
    let left: Vec<_> = list(&store).await.into_iter().map(|row| row.host).collect();
    assert_eq!(left, stay);
    assert_eq!(services.sweep(&[API, METADATA], HOUR).await, Ok(0));
}
