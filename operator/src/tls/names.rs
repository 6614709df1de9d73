//! Whether a certificate names what clients connect to.

use kilonova_tls::Facts;
use kube::ResourceExt;

use crate::api::{Api, ApiService, Tls};
use crate::desired::dns_names;
use crate::verdict::Problem;

/// What is to be said of a certificate that names neither the API's Service nor a host of its gateway.
pub(super) fn unnamed(
    service: &ApiService,
    api: &Api,
    tls: &Tls,
    facts: &Facts,
) -> Option<Problem> {
    if api.is_loopback() {
        return None;
    }
    let wanted = dns_names(service, api);
    let named = |name: &String| facts.dns_names.iter().any(|pattern| covers(pattern, name));
    if wanted.iter().any(named) {
        return None;
    }
    let message = format!(
        "the certificate in Secret {}/{} names {} and none of {}: clients that check names refuse it",
        service.namespace().unwrap_or_default(),
        tls.secret_name,
        if facts.dns_names.is_empty() {
            "no host".to_owned()
        } else {
            facts.dns_names.join(", ")
        },
        wanted.join(", ")
    );
    Some(Problem::warning("CertificateNamesOther", message))
}

/// Whether a name of a certificate, perhaps with `*` for its first label, stands for `name`.
fn covers(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_ascii_lowercase(), name.to_ascii_lowercase());
    match pattern.strip_prefix("*.") {
        Some(parent) => name.split_once('.').is_some_and(|(_, rest)| rest == parent),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("nova-metadata.cloud.svc", true)]
    #[case("NOVA-metadata.cloud.svc", true)]
    #[case("*.cloud.svc", true)]
    #[case("*.svc", false)]
    #[case("*", false)]
    #[case("nova-osapi-compute.cloud.svc", false)]
    fn names_stand_for_hosts(#[case] pattern: &str, #[case] expected: bool) {
        assert_eq!(covers(pattern, "nova-metadata.cloud.svc"), expected);
    }
}
