//! The lowest version of several services.

use kilonova_store::{MinimumVersions, StoreError};
use rstest::rstest;

use crate::place::{On, Place};

#[rstest]
#[tokio::test]
async fn the_lowest_version_is_remembered_until_cleared(
    #[values(On::Sqlite, On::Postgres, On::Mariadb)] on: On,
) {
    let (place, store) = Place::synced(on).await;
    let services = store.services();
    let versions = MinimumVersions::new(services.clone());
    assert_eq!(versions.get(&["nova-compute"]).await, Ok(0));
    for (host, binary, version) in [
        ("a", "nova-compute", 70),
        ("b", "nova-compute", 61),
        ("c", "nova-conductor", 66),
        ("d", "nova-scheduler", 50),
    ] {
        services.enroll(host, binary, version, true).await.unwrap();
    }
    let both = ["nova-compute", "nova-conductor"];
    assert_eq!(
        versions.get(&both).await,
        Ok(61),
        "no service is not remembered"
    );
    place.run("DELETE FROM services WHERE host = 'b'").await;
    assert_eq!(versions.get(&both).await, Ok(61));
    assert_eq!(versions.get(&["nova-conductor"]).await, Ok(66));
    versions.clear();
    assert_eq!(versions.get(&both).await, Ok(66));
    place
        .run("UPDATE services SET forced_down = true WHERE host = 'c'")
        .await;
    versions.clear();
    assert_eq!(versions.get(&both).await, Ok(70));
    let refused = versions.get(&["nova-compute", "cinder-volume"]).await;
    assert_eq!(refused, Err(StoreError::InvalidBinary));
    assert_eq!(
        StoreError::InvalidBinary.to_string(),
        "Object action get_minimum_version failed because: Invalid binary prefix"
    );
}
