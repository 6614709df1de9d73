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

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case("/tls/tls.crt", Some("certificate"))]
    #[case("/tls/tls.key", None)] // not among the items
    #[case("/tls/other/name", Some("deeper"))] // the longest mount counts
    #[case("/all/url", Some("url"))]
    #[case("/joined/here", Some("url"))]
    #[case("/joined/url", None)]
    #[case("/absent/url", None)]
    #[case("/tls", None)]
    #[case("/elsewhere", None)]
    fn a_file_is_what_its_secret_holds(#[case] path: &str, #[case] expected: Option<&str>) {
        let template = json!({"spec": {
            "containers": [{"name": "kilonova", "volumeMounts": [
                {"name": "tls", "mountPath": "/tls"}, {"name": "deep", "mountPath": "/tls/other"},
                {"name": "all", "mountPath": "/all"}, {"name": "joined", "mountPath": "/joined"},
                {"name": "absent", "mountPath": "/absent"},
            ]}],
            "volumes": [
                {"name": "tls", "secret": {"secretName": "a", "items": [{"key": "crt", "path": "tls.crt"}]}},
                {"name": "deep", "secret": {"secretName": "a", "items": [{"key": "deep", "path": "name"}]}},
                {"name": "all", "secret": {"secretName": "b"}},
                {"name": "joined", "projected": {"sources": [
                    {"configMap": {"name": "c"}},
                    {"secret": {"name": "b", "items": [{"key": "url", "path": "here"}]}},
                ]}},
                {"name": "absent", "secret": {"secretName": "none"}},
            ],
        }});
        let secret = |data: &[(&str, &str)]| {
            let data = data.iter().map(|(key, value)| {
                let value = k8s_openapi::ByteString(value.as_bytes().to_vec());
                ((*key).to_owned(), value)
            });
            k8s_openapi::api::core::v1::Secret {
                data: Some(data.collect()),
                ..Default::default()
            }
        };
        let secrets: Secrets = [
            (
                "a".to_owned(),
                secret(&[("crt", "certificate"), ("deep", "deeper")]),
            ),
            ("b".to_owned(), secret(&[("url", "url")])),
        ]
        .into();
        let template = serde_json::from_value(template).unwrap();
        let found = content(&template, &secrets, path);
        assert_eq!(found, expected.map(str::as_bytes));
    }
}
