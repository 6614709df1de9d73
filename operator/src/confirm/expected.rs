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
    /// Whether they have a database to reach.
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
    if let Some(file) = database.and_then(|database| database.connection_file.as_ref()) {
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
