//! The authorities of clients, and what they revoked.

use kilonova_tls::{Authorities, RevocationLists};

use super::date;
use crate::api::ClientAuth;
use crate::verdict::{Problem, Shelf};

/// How long before an authority ends it is spoken of, in seconds: 30 days.
const AHEAD: i64 = 30 * 86_400;

/// What is to be said of authorities that can be used.
#[derive(Default)]
pub(super) struct Clients {
    pub warnings: Vec<Problem>,
    pub moments: Vec<i64>,
}

pub(super) fn judge(client: &ClientAuth, shelf: Shelf<'_>, now: i64) -> Result<Clients, Problem> {
    let mut found = Clients::default();
    let Some(name) = &client.ca_secret_name else {
        return Ok(found);
    };
    let at = |key: &str| format!("Secret {}/{name}, key {key}", shelf.namespace);
    let key = &client.ca_key;
    let hint = format!("it must hold the certificates of the clients' CA under {key}");
    let secret = shelf.secret(name, &hint)?;
    let bundle = shelf.value(secret, key, &hint)?;
    let authorities = Authorities::parse(bundle)
        .map_err(|error| Problem::blocking(error.reason(), format!("{}: {error}", at(key))))?;
    for warning in authorities.warnings() {
        let message = format!("{}: {warning}", at(key));
        found
            .warnings
            .push(Problem::warning("ClientCADoubtful", message));
    }
    if let Some(first) = authorities.earliest() {
        found.moments = vec![first.not_after - AHEAD, first.not_after.saturating_add(1)];
        let (reason, verb) = if now > first.not_after {
            ("ClientCAExpired", "expired at")
        } else {
            ("ClientCAExpiring", "expires at")
        };
        if now >= first.not_after - AHEAD {
            let message = format!(
                "{}: the CA {} {verb} {}: add its successor to the bundle, give the clients new certificates, then \
                 take it out",
                at(key),
                first.subject,
                date(first.not_after)
            );
            found.warnings.push(Problem::warning(reason, message));
        }
    }
    if let Some(key) = &client.crl_key {
        let hint = format!("it must hold revocation lists (PEM, X509 CRL) under {key}");
        let lists = RevocationLists::parse(shelf.value(secret, key, &hint)?, &authorities)
            .map_err(|error| Problem::blocking(error.reason(), format!("{}: {error}", at(key))))?;
        for warning in lists.warnings() {
            let message = format!("{}: {warning}", at(key));
            found
                .warnings
                .push(Problem::warning("CRLDoubtful", message));
        }
        if let Some(next) = lists.next_update() {
            found.moments.push(next.saturating_add(1));
            if now > next {
                let message = format!(
                    "{}: a revocation list should have been replaced at {}; it still counts: store a newer one",
                    at(key),
                    date(next)
                );
                found.warnings.push(Problem::warning("CRLExpired", message));
            }
        }
    }
    Ok(found)
}
