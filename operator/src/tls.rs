//! Whether what is in the Secrets of an API can be served.
//!
//! The same code judges here and in the server, so the two never disagree.

mod clients;
mod names;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kilonova_config::{CERTIFICATE_FILE, KEY_FILE};
use kilonova_tls::{Facts, Pair, Validity};
use kube::ResourceExt;

use crate::api::{Api, ApiService, Tls};
use crate::verdict::{Problem, Shelf, Subject, Verdict};

/// The Secrets that exist of those an `ApiService` names.
pub type Secrets = BTreeMap<String, Secret>;

/// Names of the Secrets an API's TLS refers to.
pub fn of_api(api: &Api) -> Vec<String> {
    let certificate = api.tls.iter().map(|tls| tls.secret_name.clone());
    let clients = api
        .tls
        .iter()
        .filter_map(|tls| tls.client_auth.as_ref()?.ca_secret_name.clone());
    certificate.chain(clients).collect()
}

/// Judges every API that has TLS, at the moment `now`.
pub fn judge(service: &ApiService, secrets: &Secrets, now: Timestamp) -> Vec<Verdict> {
    let namespace = service.namespace().unwrap_or_default();
    let shelf = Shelf {
        namespace: &namespace,
        secrets,
    };
    let apis = service.spec.apis.iter();
    apis.filter_map(|api| Some(verdict(service, api, api.tls.as_ref()?, shelf, now)))
        .collect()
}

fn verdict(
    service: &ApiService,
    api: &Api,
    tls: &Tls,
    shelf: Shelf<'_>,
    now: Timestamp,
) -> Verdict {
    let now = now.as_second();
    let mut verdict = Verdict::new(api.name, Subject::Tls);
    let clients = match &tls.client_auth {
        Some(client) => clients::judge(client, shelf, now),
        None => Ok(clients::Clients::default()),
    };
    match pair(tls, shelf) {
        Err(problem) => verdict.problem = Some(problem),
        Ok(pair) => {
            let facts = pair.facts();
            verdict.moments = vec![facts.not_before, facts.not_after.saturating_add(1)];
            let odd = pair.warnings().iter().map(|warning| {
                let message = format!("Secret {}/{}: {warning}", shelf.namespace, tls.secret_name);
                Problem::warning("CertificateDoubtful", message)
            });
            verdict.warnings.extend(odd);
            verdict
                .warnings
                .extend(names::unnamed(service, api, tls, facts));
            verdict.problem = match &clients {
                Err(problem) => Some(problem.clone()),
                Ok(_) => validity(shelf, &tls.secret_name, facts, now).err(),
            };
            verdict.facts = Some(facts.clone());
        }
    }
    if let Ok(clients) = clients {
        verdict.warnings.extend(clients.warnings);
        verdict.moments.extend(clients.moments);
    }
    let all = verdict.problem.iter_mut().chain(&mut verdict.warnings);
    all.for_each(|problem| problem.message = format!("{}: {}", api.name, problem.message));
    verdict
}

fn pair(tls: &Tls, shelf: Shelf<'_>) -> Result<Pair, Problem> {
    let name = &tls.secret_name;
    let hint = if tls.certificate.is_some() {
        "cert-manager makes it when the Certificate that uses it is issued"
    } else {
        "it must be of type kubernetes.io/tls, with tls.crt and tls.key"
    };
    let secret = shelf.secret(name, hint)?;
    let certificate = shelf.value(secret, CERTIFICATE_FILE, hint)?;
    let key = shelf.value(secret, KEY_FILE, hint)?;
    Pair::parse(certificate, key).map_err(|error| {
        let message = format!("Secret {}/{name}: {error}", shelf.namespace);
        Problem::blocking(error.reason(), message)
    })
}

fn validity(shelf: Shelf<'_>, name: &str, facts: &Facts, now: i64) -> Result<(), Problem> {
    let (reason, verb, moment) = match facts.validity(now) {
        Validity::Valid => return Ok(()),
        Validity::Expired => ("CertificateExpired", "expired at", facts.not_after),
        Validity::NotYetValid => (
            "CertificateNotYetValid",
            "is not valid before",
            facts.not_before,
        ),
    };
    let message = format!(
        "the certificate (serial {}) in Secret {}/{name} {verb} {}; it is served all the same: store a valid one",
        facts.serial,
        shelf.namespace,
        date(moment)
    );
    Err(Problem::warning(reason, message))
}

/// Seconds since 1970 as people read them.
pub fn date(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}
