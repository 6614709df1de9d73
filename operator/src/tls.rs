//! Which Secrets an `ApiService` needs, and whether what is in them can be served.
//!
//! The same code judges here and in the server, so the two never disagree.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kilonova_config::{CERTIFICATE_FILE, KEY_FILE};
use kilonova_tls::{Authorities, Facts, Pair, Validity};
use kube::ResourceExt;

use crate::api::{Api, ApiName, ApiService, ClientAuth};

/// The Secrets that exist of those an `ApiService` names.
pub type Secrets = BTreeMap<String, Secret>;

/// What is to be said of one API's TLS.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The API.
    pub api: ApiName,
    /// Its certificate, when there is one that can be read.
    pub facts: Option<Facts>,
    /// What is wrong.
    pub problem: Option<Problem>,
}

/// What is wrong with an API's Secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Reason, for conditions and Events.
    pub reason: &'static str,
    /// Names the Secret, the key and the way out.
    pub message: String,
    /// Whether the API cannot be served with it: its creation and its rolls wait then. An expired certificate is
    /// served, since a rescheduled pod must not turn a warning into an outage.
    pub blocks: bool,
}

impl Verdict {
    /// Whether the API cannot be served.
    pub fn blocks(&self) -> bool {
        self.problem.as_ref().is_some_and(|problem| problem.blocks)
    }
}

/// Names of the Secrets an `ApiService` refers to.
pub fn referenced(service: &ApiService) -> BTreeSet<String> {
    service.spec.apis.iter().flat_map(of_api).collect()
}

/// Names of the Secrets an API refers to.
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
    let judge = Judge {
        namespace: &namespace,
        secrets,
        now: now.as_second(),
    };
    service
        .spec
        .apis
        .iter()
        .filter_map(|api| judge.api(api))
        .collect()
}

/// How long the verdicts hold as far as the clock is concerned.
pub fn holds_for(verdicts: &[Verdict], now: Timestamp) -> Option<Duration> {
    let facts = verdicts.iter().filter_map(|verdict| verdict.facts.as_ref());
    let boundaries = facts.flat_map(|facts| [facts.not_before, facts.not_after.saturating_add(1)]);
    let ahead = boundaries
        .filter_map(|boundary| u64::try_from(boundary.saturating_sub(now.as_second())).ok());
    ahead
        .filter(|seconds| *seconds > 0)
        .min()
        .map(Duration::from_secs)
}

struct Judge<'a> {
    namespace: &'a str,
    secrets: &'a Secrets,
    now: i64,
}

impl Judge<'_> {
    fn api(&self, api: &Api) -> Option<Verdict> {
        let tls = api.tls.as_ref()?;
        let pair = self.pair(&tls.secret_name);
        let facts = pair.as_ref().ok().map(|pair| pair.facts().clone());
        let outcome = match pair {
            Err(problem) => Err(problem),
            Ok(pair) => tls
                .client_auth
                .as_ref()
                .map_or(Ok(()), |client| self.client_ca(client))
                .and_then(|()| self.validity(&tls.secret_name, pair.facts())),
        };
        Some(Verdict {
            api: api.name,
            facts,
            problem: outcome.err().map(|problem| Problem {
                message: format!("{}: {}", api.name, problem.message),
                ..problem
            }),
        })
    }

    fn pair(&self, name: &str) -> Result<Pair, Problem> {
        let hint = "it must be of type kubernetes.io/tls, with tls.crt and tls.key";
        let secret = self.secret(name, hint)?;
        let certificate = self.value(secret, name, CERTIFICATE_FILE, hint)?;
        let key = self.value(secret, name, KEY_FILE, hint)?;
        Pair::parse(certificate, key).map_err(|error| {
            blocking(
                error.reason(),
                format!("Secret {}/{name}: {error}", self.namespace),
            )
        })
    }

    fn client_ca(&self, client: &ClientAuth) -> Result<(), Problem> {
        let Some(name) = &client.ca_secret_name else {
            return Ok(());
        };
        let key = &client.ca_key;
        let hint = format!("it must hold the certificates of the clients' CA under {key}");
        let secret = self.secret(name, &hint)?;
        let bundle = self.value(secret, name, key, &hint)?;
        match Authorities::parse(bundle) {
            Ok(_) => Ok(()),
            Err(error) => Err(blocking(
                error.reason(),
                format!("Secret {}/{name}, key {key}: {error}", self.namespace),
            )),
        }
    }

    fn secret(&self, name: &str, hint: &str) -> Result<&Secret, Problem> {
        self.secrets.get(name).ok_or_else(|| {
            let message = format!(
                "Secret {}/{name} does not exist: create it; {hint}",
                self.namespace
            );
            blocking("SecretNotFound", message)
        })
    }

    fn value<'s>(
        &self,
        secret: &'s Secret,
        name: &str,
        key: &str,
        hint: &str,
    ) -> Result<&'s [u8], Problem> {
        let value = secret.data.as_ref().and_then(|data| data.get(key));
        value.map(|value| value.0.as_slice()).ok_or_else(|| {
            let message = format!(
                "Secret {}/{name} has no key {key}: add it; {hint}",
                self.namespace
            );
            blocking("SecretKeyMissing", message)
        })
    }

    fn validity(&self, name: &str, facts: &Facts) -> Result<(), Problem> {
        let (reason, verb, moment) = match facts.validity(self.now) {
            Validity::Valid => return Ok(()),
            Validity::Expired => ("CertificateExpired", "expired at", facts.not_after),
            Validity::NotYetValid => (
                "CertificateNotYetValid",
                "is not valid before",
                facts.not_before,
            ),
        };
        Err(Problem {
            reason,
            message: format!(
                "the certificate (serial {}) in Secret {}/{name} {verb} {}; it is served all the same: store a valid one",
                facts.serial,
                self.namespace,
                date(moment)
            ),
            blocks: false,
        })
    }
}

fn blocking(reason: &'static str, message: String) -> Problem {
    Problem {
        reason,
        message,
        blocks: true,
    }
}

/// Seconds since 1970 as people read them.
pub fn date(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn verdict(not_before: i64, not_after: i64) -> Verdict {
        Verdict {
            api: ApiName::Metadata,
            facts: Some(Facts {
                serial: String::new(),
                fingerprint: String::new(),
                not_before,
                not_after,
                dns_names: Vec::new(),
                subject: String::new(),
            }),
            problem: None,
        }
    }

    #[rstest]
    #[case(99, Some(1))] // begins to be valid
    #[case(100, Some(101))] // its last second is 200
    #[case(200, Some(1))]
    #[case(201, None)]
    fn verdicts_hold_until_the_next_boundary(#[case] now: i64, #[case] expected: Option<u64>) {
        let now = Timestamp::from_second(now).unwrap();
        let holds = holds_for(&[verdict(100, 200)], now);
        assert_eq!(holds.map(|holds| holds.as_secs()), expected);
    }
}
