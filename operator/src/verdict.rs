//! What is to be said of an `ApiService` that its own text does not show: of the Secrets it names and of what is merged
//! into its pods.
//!
//! ```text
//! ApiService + Desired + Secrets + now ──► tls, database, settings ──► Verdicts ──► what waits, conditions, Events
//! ```

mod database;
mod settings;

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kilonova_tls::Facts;
use kube::ResourceExt;

use crate::api::{ApiName, ApiService};
use crate::desired::Desired;
use crate::tls::{self, Secrets};

/// What a verdict is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The certificate, key, authorities and revocation lists of an API.
    Tls,
    /// The Secret with the database's URL.
    Database,
    /// What the pods would be made of: `podTemplate`, and settings no rule can check.
    Settings,
}

/// What is to be said of one API.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The API.
    pub api: ApiName,
    /// What it is about.
    pub about: Subject,
    /// Its certificate, when there is one that can be read.
    pub facts: Option<Facts>,
    /// What is wrong.
    pub problem: Option<Problem>,
    /// What will be wrong, or is odd: all of it works for now.
    pub warnings: Vec<Problem>,
    /// The moments, in seconds since 1970, at which time alone changes the verdict.
    pub moments: Vec<i64>,
}

/// Something wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Reason, for conditions and Events.
    pub reason: &'static str,
    /// Names the Secret or the field, what is wrong and the way out.
    pub message: String,
    /// Whether the API cannot be served with it: its creation and its rolls wait then. An expired certificate is
    /// served, since a rescheduled pod must not turn a warning into an outage.
    pub blocks: bool,
}

impl Verdict {
    /// Nothing to be said yet.
    pub fn new(api: ApiName, about: Subject) -> Self {
        Self {
            api,
            about,
            facts: None,
            problem: None,
            warnings: Vec::new(),
            moments: Vec::new(),
        }
    }

    /// Whether the API cannot be served.
    pub fn blocks(&self) -> bool {
        self.problem.as_ref().is_some_and(|problem| problem.blocks)
    }
}

impl Problem {
    /// One with which the API cannot be served.
    pub fn blocking(reason: &'static str, message: String) -> Self {
        Self {
            reason,
            message,
            blocks: true,
        }
    }

    /// One with which the API is served all the same.
    pub fn warning(reason: &'static str, message: String) -> Self {
        Self {
            reason,
            message,
            blocks: false,
        }
    }
}

/// Judges everything, at the moment `now`. What is said of certificates stands first.
pub fn judge(
    service: &ApiService,
    desired: &Desired,
    secrets: &Secrets,
    now: Timestamp,
) -> Vec<Verdict> {
    let mut verdicts = tls::judge(service, secrets, now);
    verdicts.extend(database::judge(service, desired, secrets));
    verdicts.extend(settings::judge(desired));
    verdicts
}

/// Names of the Secrets an `ApiService` refers to.
pub fn referenced(service: &ApiService) -> BTreeSet<String> {
    let database = service.spec.database.iter();
    let certificates = service.spec.apis.iter().flat_map(tls::of_api);
    database
        .map(|database| database.secret_name.clone())
        .chain(certificates)
        .collect()
}

/// How long the verdicts hold as far as the clock is concerned.
pub fn holds_for(verdicts: &[Verdict], now: Timestamp) -> Option<Duration> {
    let moments = verdicts.iter().flat_map(|verdict| &verdict.moments);
    let ahead = moments.filter_map(|moment| u64::try_from(moment - now.as_second()).ok());
    ahead
        .filter(|seconds| *seconds > 0)
        .min()
        .map(Duration::from_secs)
}

/// The Secrets of one namespace, and what is to be said when something is not in them.
#[derive(Clone, Copy)]
pub(crate) struct Shelf<'a> {
    pub namespace: &'a str,
    pub secrets: &'a Secrets,
}

impl Shelf<'_> {
    /// The Secret called `name`; `hint` says what it must hold.
    pub fn secret(&self, name: &str, hint: &str) -> Result<&Secret, Problem> {
        self.secrets.get(name).ok_or_else(|| {
            let message = format!(
                "Secret {}/{name} does not exist: create it; {hint}",
                self.namespace
            );
            Problem::blocking("SecretNotFound", message)
        })
    }

    /// What a Secret holds under `key`.
    pub fn value<'s>(
        &self,
        secret: &'s Secret,
        key: &str,
        hint: &str,
    ) -> Result<&'s [u8], Problem> {
        let value = secret.data.as_ref().and_then(|data| data.get(key));
        value.map(|value| value.0.as_slice()).ok_or_else(|| {
            let message = format!(
                "Secret {}/{} has no key {key}: add it; {hint}",
                self.namespace,
                secret.name_any()
            );
            Problem::blocking("SecretKeyMissing", message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(99, Some(1))]
    #[case(100, Some(101))]
    #[case(200, Some(1))]
    #[case(201, None)]
    fn verdicts_hold_until_the_next_moment(#[case] now: i64, #[case] expected: Option<u64>) {
        let mut verdict = Verdict::new(ApiName::Metadata, Subject::Tls);
        verdict.moments = vec![100, 201];
        let holds = holds_for(&[verdict], Timestamp::from_second(now).unwrap());
        assert_eq!(holds.map(|holds| holds.as_secs()), expected);
    }
}
