//! What the pods mount. Always directories: a subPath would never be refreshed.

use k8s_openapi::api::core::v1::{
    ConfigMapProjection, EmptyDirVolumeSource, KeyToPath, ProjectedVolumeSource,
    SecretVolumeSource, Volume, VolumeMount, VolumeProjection,
};
use kilonova_config::{CERTIFICATE_FILE, COLD_FILE, HOT_FILE, KEY_FILE};

use super::Part;
use crate::api::{Api, ApiName, Database};

/// Where the server finds its settings.
pub(super) const CONFIG_DIRECTORY: &str = "/etc/kilonova/config";
/// Where the server finds the URL of its database.
pub(super) const DATABASE_DIRECTORY: &str = "/etc/kilonova/database";
/// The database of a pod that has no other.
pub(super) const SQLITE_FILE: &str = "/var/lib/kilonova/nova.sqlite";
const SQLITE_DIRECTORY: &str = "/var/lib/kilonova";

/// Where an API finds its certificate and key.
pub(super) fn certificate_directory(api: ApiName) -> String {
    format!("/etc/kilonova/tls/{api}")
}

/// Where an API finds the authorities of its clients.
pub(super) fn client_ca_directory(api: ApiName) -> String {
    format!("/etc/kilonova/client-ca/{api}")
}

/// A volume and where the container finds it.
pub(super) struct Mount {
    pub volume: Volume,
    pub mounted: VolumeMount,
}

/// Everything the container mounts.
pub(super) fn mounts(part: &Part<'_>, cold: &str, live: &str) -> Vec<Mount> {
    let database = match &part.service.spec.database {
        Some(database) => database_mount(database),
        None => sqlite_mount(),
    };
    [config_mount(cold, live), database]
        .into_iter()
        .chain(part.apis.iter().flat_map(|api| tls_mounts(api)))
        .collect()
}

fn mount(directory: String, volume: Volume) -> Mount {
    Mount {
        mounted: VolumeMount {
            name: volume.name.clone(),
            mount_path: directory,
            read_only: Some(true),
            ..VolumeMount::default()
        },
        volume,
    }
}

/// Cold and live settings in one directory, so that the server reads one consistent pair.
fn config_mount(cold: &str, live: &str) -> Mount {
    let projection = |map: &str, file: &str| VolumeProjection {
        config_map: Some(ConfigMapProjection {
            name: map.to_owned(),
            items: Some(vec![same_path(file)]),
            ..ConfigMapProjection::default()
        }),
        ..VolumeProjection::default()
    };
    mount(
        CONFIG_DIRECTORY.to_owned(),
        Volume {
            name: "config".to_owned(),
            projected: Some(ProjectedVolumeSource {
                sources: Some(vec![
                    projection(cold, COLD_FILE),
                    projection(live, HOT_FILE),
                ]),
                ..ProjectedVolumeSource::default()
            }),
            ..Volume::default()
        },
    )
}

fn database_mount(database: &Database) -> Mount {
    mount(
        DATABASE_DIRECTORY.to_owned(),
        secret(
            "database".to_owned(),
            &database.secret_name,
            &[&database.key],
        ),
    )
}

/// The only place a pod may write to. It ends with the pod.
fn sqlite_mount() -> Mount {
    let volume = Volume {
        name: "sqlite".to_owned(),
        empty_dir: Some(EmptyDirVolumeSource::default()),
        ..Volume::default()
    };
    let mut mount = mount(SQLITE_DIRECTORY.to_owned(), volume);
    mount.mounted.read_only = None;
    mount
}

fn tls_mounts(api: &Api) -> Vec<Mount> {
    let Some(tls) = &api.tls else {
        return Vec::new();
    };
    let component = api.name.dashed();
    let certificate = mount(
        certificate_directory(api.name),
        secret(
            format!("tls-{component}"),
            &tls.secret_name,
            &[CERTIFICATE_FILE, KEY_FILE],
        ),
    );
    let client = tls.client_auth.as_ref().and_then(|client| {
        let name = client.ca_secret_name.as_ref()?;
        let mut keys = vec![client.ca_key.as_str()];
        keys.extend(client.crl_key.as_deref());
        keys.dedup();
        let volume = secret(format!("client-ca-{component}"), name, &keys);
        Some(mount(client_ca_directory(api.name), volume))
    });
    std::iter::once(certificate).chain(client).collect()
}

/// Only the keys that are needed: a CA's Secret often holds the CA's own key too.
fn secret(volume: String, name: &str, keys: &[&str]) -> Volume {
    Volume {
        name: volume,
        secret: Some(SecretVolumeSource {
            secret_name: Some(name.to_owned()),
            items: Some(keys.iter().map(|key| same_path(key)).collect()),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    }
}

fn same_path(key: &str) -> KeyToPath {
    KeyToPath {
        key: key.to_owned(),
        path: key.to_owned(),
        mode: None,
    }
}
