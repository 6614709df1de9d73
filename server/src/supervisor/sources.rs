//! What was read, named by keyed digests, so that whoever wrote it can see that it is served.

use std::path::Path;
use std::sync::OnceLock;

use kilonova_config::revision::{Source, SourceKind, digest, revision};
use kilonova_config::status::SourceStatus;

use super::database::Named;
use super::plan::ServicePlan;

/// The key of all digests: the configured one, or one that nobody knows.
pub fn nonce(configured: Option<&str>) -> &[u8] {
    static RANDOM: OnceLock<[u8; 16]> = OnceLock::new();
    match configured {
        Some(nonce) => nonce.as_bytes(),
        None => RANDOM.get_or_init(|| *uuid::Uuid::new_v4().as_bytes()),
    }
}

/// The mounted sources, and the revision they make together.
pub fn of(
    nonce: &[u8],
    documents: &[(String, String)],
    services: &[ServicePlan],
    database: Option<&Named>,
) -> (Vec<SourceStatus>, String) {
    let documents = documents.iter().map(|(path, text)| Source {
        kind: SourceKind::Configuration,
        name: file_name(path),
        content: text.as_bytes(),
    });
    let clients = services.iter().flat_map(|service| {
        let clients = service.settings.tls.as_ref();
        let clients = clients.and_then(|tls| tls.clients.as_ref());
        let texts = clients.map(|clients| {
            let authorities = Some((SourceKind::ClientAuthorities, &clients.authorities));
            let revoked = clients.revoked.as_ref();
            [
                authorities,
                revoked.map(|text| (SourceKind::RevocationLists, text)),
            ]
        });
        texts
            .into_iter()
            .flatten()
            .flatten()
            .map(|(kind, text)| Source {
                kind,
                name: &service.api.name,
                content: text.as_bytes(),
            })
    });
    let url = database.and_then(|named| named.text.as_ref());
    let url = url.map(|text| Source {
        kind: SourceKind::Database,
        name: "",
        content: text.0.as_bytes(),
    });
    let sources: Vec<_> = documents.chain(clients).chain(url).collect();
    let status = |source: &Source<'_>| SourceStatus {
        kind: source.kind,
        name: source.name.to_owned(),
        digest: digest(nonce, source),
    };
    (
        sources.iter().map(status).collect(),
        revision(nonce, &sources),
    )
}

/// The operator knows a document by its name in the volume, not by where the volume is mounted.
fn file_name(path: &str) -> &str {
    Path::new(path)
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_known_by_their_file_names() {
        let documents = |folder: &str| [(format!("{folder}/live.yaml"), "{}".to_owned())];
        let (sources, here) = of(b"nonce", &documents("/here"), &[], None);
        assert_eq!(sources[0].name, "live.yaml");
        assert_eq!(sources[0].digest, here);
        assert_eq!(of(b"nonce", &documents("/there"), &[], None).1, here);
        assert_ne!(of(b"other", &documents("/here"), &[], None).1, here);
    }

    #[test]
    fn without_a_nonce_there_is_one_for_the_whole_process() {
        assert_eq!(nonce(None), nonce(None));
        assert_eq!(nonce(Some("known")), b"known");
    }
}
