//! What pods find in a file, as far as it comes from a Secret.

use k8s_openapi::api::core::v1::{PodTemplateSpec, SecretVolumeSource};

use crate::names::CONTAINER;
use crate::tls::Secrets;

/// The content of the file at `path` in the pods of a template.
pub fn content<'s>(
    template: &PodTemplateSpec,
    secrets: &'s Secrets,
    path: &str,
) -> Option<&'s [u8]> {
    let pod = template.spec.as_ref()?;
    let container = pod
        .containers
        .iter()
        .find(|container| container.name == CONTAINER)?;
    let mounts = container.volume_mounts.iter().flatten();
    let (mount, file) = mounts
        .filter_map(|mount| {
            let file = path.strip_prefix(&mount.mount_path)?.strip_prefix('/')?;
            Some((mount, file))
        })
        .max_by_key(|(mount, _)| mount.mount_path.len())?;
    let volumes = pod.volumes.iter().flatten();
    let volume = volumes
        .into_iter()
        .find(|volume| volume.name == mount.name)?;
    if let Some(source) = &volume.secret {
        let secret = secrets.get(source.secret_name.as_deref()?)?;
        return Some(&secret.data.as_ref()?.get(key(source, file)?)?.0);
    }
    let projected = volume.projected.as_ref()?.sources.iter().flatten();
    projected
        .filter_map(|source| source.secret.as_ref())
        .find_map(|source| {
            let secret = secrets.get(&source.name)?;
            let items = source.items.as_ref();
            let key = items.map_or(Some(file), |items| {
                let item = items.iter().find(|item| item.path == file)?;
                Some(item.key.as_str())
            })?;
            Some(secret.data.as_ref()?.get(key)?.0.as_slice())
        })
}

fn key<'a>(source: &'a SecretVolumeSource, file: &'a str) -> Option<&'a str> {
    match &source.items {
        None => Some(file),
        Some(items) => items
            .iter()
            .find(|item| item.path == file)
            .map(|item| item.key.as_str()),
    }
}
