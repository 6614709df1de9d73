//! What a pod should answer once it runs with what is mounted now.

use std::collections::BTreeMap;
use std::path::Path;

use k8s_openapi::api::core::v1::PodTemplateSpec;
use kilonova_config::revision::{Source, SourceKind, revision};
use kilonova_config::{CERTIFICATE_FILE, COLD_FILE, Config, HOT_FILE, KEY_FILE};
use kilonova_tls::{Facts, Pair};

use super::mounted;
use crate::desired::Workload;
use crate::tls::Secrets;
use crate::{history, observed};

/// What the pods of a workload should answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The revision.
    pub revision: String,
    /// The certificate of each API that has one.
    pub certificates: BTreeMap<String, Facts>,
    /// Whether they have a database outside of them to reach.
    pub database: bool,
}

impl Expected {
    /// What stands for all of it.
    pub fn digest(&self) -> String {
        let prints = self.certificates.values();
        let prints: Vec<&str> = prints.map(|facts| facts.fingerprint.as_str()).collect();
        format!("{}/{}", self.revision, prints.join("/"))
    }
}

/// What the pods of a workload should answer; `None` while a Secret they mount is missing or unusable.
pub fn expected(workload: &Workload, secrets: &Secrets) -> Option<Expected> {
    let template = observed::template(&workload.deployment)?;
    let cold = history::text(&workload.cold, COLD_FILE);
    let live = history::text(&workload.live, HOT_FILE);
    let documents = [(COLD_FILE.to_owned(), cold), (HOT_FILE.to_owned(), live)];
    let config = kilonova_config::parse(&documents).ok()?.config;
    let read = |path: &Path| mounted::content(template, secrets, path.to_str()?);

    let mut sources: Vec<Source<'_>> = Vec::new();
    for (name, text) in &documents {
        sources.push(source(SourceKind::Configuration, name, text.as_bytes()));
    }
    for api in &config.apis {
        let clients = api.tls.as_ref().and_then(|tls| tls.client_auth.as_ref());
        if let Some(clients) = clients {
            let authorities = read(&clients.ca_file)?;
            sources.push(source(
                SourceKind::ClientAuthorities,
                &api.name,
                authorities,
            ));
            if let Some(file) = &clients.crl_file {
                sources.push(source(SourceKind::RevocationLists, &api.name, read(file)?));
            }
        }
    }
    let database = config.database.as_ref();
    let database = database.and_then(|database| database.connection_file.as_ref());
    if let Some(file) = database {
        sources.push(source(SourceKind::Database, "", read(file)?));
    }
    let nonce = config.nonce.as_deref()?;
    Some(Expected {
        revision: revision(nonce.as_bytes(), &sources),
        certificates: certificates(&config, template, secrets)?,
        database: database.is_some(),
    })
}

fn source<'a>(kind: SourceKind, name: &'a str, content: &'a [u8]) -> Source<'a> {
    Source {
        kind,
        name,
        content,
    }
}

fn certificates(
    config: &Config,
    template: &PodTemplateSpec,
    secrets: &Secrets,
) -> Option<BTreeMap<String, Facts>> {
    let served = config.apis.iter().filter_map(|api| {
        let directory = &api.tls.as_ref()?.certificate_directory;
        let read = |file| mounted::content(template, secrets, directory.join(file).to_str()?);
        let facts = || {
            let pair = Pair::parse(read(CERTIFICATE_FILE)?, read(KEY_FILE)?).ok()?;
            Some((api.name.clone(), pair.facts().clone()))
        };
        Some(facts())
    });
    served.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::ByteString;
    use k8s_openapi::api::core::v1::Secret;
    use serde_json::json;

    const COLD: &str = "{apis: [{name: metadata, tls: {certificateDirectory: /tls, clientAuth: {caFile: /ca/a, crlFile: \
                        /ca/b}}}], database: {connectionFile: /db/url}}";
    const LIVE: &str = "nonce: known";

    fn workload() -> Workload {
        let release = crate::desired::Release {
            server_image: "i".to_owned(),
            namespace: "kilonova-system".to_owned(),
        };
        let service = json!({"apiVersion": "kilonova.dev/v1alpha1", "kind": "ApiService",
            "metadata": {"name": "nova", "uid": "u"}, "spec": {"apis": [{"name": "metadata"}]}});
        let service = serde_json::from_value(service).unwrap();
        let mut workload = crate::desired::desired(&service, &release)
            .unwrap()
            .workloads
            .remove(0);
        let mounts = |name: &str| json!({"name": name, "mountPath": format!("/{name}")});
        let volume = |name: &str| json!({"name": name, "secret": {"secretName": name}});
        let names = ["tls", "ca", "db"];
        let template = json!({"spec": {
            "containers": [{"name": "kilonova", "volumeMounts": names.map(mounts)}],
            "volumes": names.map(volume),
        }});
        let spec = workload.deployment.spec.as_mut().unwrap();
        spec.template = serde_json::from_value(template).unwrap();
        workload.cold.data = Some([(COLD_FILE.to_owned(), COLD.to_owned())].into());
        workload.live.data = Some([(HOT_FILE.to_owned(), LIVE.to_owned())].into());
        workload
    }

    fn secrets() -> Secrets {
        let key = rcgen::KeyPair::generate().unwrap();
        let wanted = rcgen::CertificateParams::new(vec!["nova.test".to_owned()]).unwrap();
        let certificate = wanted.self_signed(&key).unwrap().pem();
        let secret = |name: &str, data: &[(&str, &str)]| {
            let data = data.iter().map(|(key, value)| {
                let value = ByteString(value.as_bytes().to_vec());
                ((*key).to_owned(), value)
            });
            let secret = Secret {
                data: Some(data.collect()),
                ..Secret::default()
            };
            (name.to_owned(), secret)
        };
        [
            secret(
                "tls",
                &[("tls.crt", &certificate), ("tls.key", &key.serialize_pem())],
            ),
            secret("ca", &[("a", "authorities"), ("b", "revoked")]),
            secret("db", &[("url", "mysql://nova")]),
        ]
        .into()
    }

    #[test]
    fn everything_that_is_mounted_is_part_of_it() {
        let (workload, mut secrets) = (workload(), secrets());
        let found = expected(&workload, &secrets).unwrap();
        let sources = [
            source(SourceKind::Configuration, COLD_FILE, COLD.as_bytes()),
            source(SourceKind::Configuration, HOT_FILE, LIVE.as_bytes()),
            source(SourceKind::ClientAuthorities, "metadata", b"authorities"),
            source(SourceKind::RevocationLists, "metadata", b"revoked"),
            source(SourceKind::Database, "", b"mysql://nova"),
        ];
        assert_eq!(found.revision, revision(b"known", &sources));
        assert_eq!(found.certificates["metadata"].fingerprint.len(), 64);
        assert!(found.database);
        secrets.remove("db");
        assert_eq!(expected(&workload, &secrets), None);
    }

    #[test]
    fn without_a_nonce_nobody_knows() {
        let mut workload = workload();
        workload.live.data = Some([(HOT_FILE.to_owned(), "{}".to_owned())].into());
        assert_eq!(expected(&workload, &secrets()), None);
    }
}
