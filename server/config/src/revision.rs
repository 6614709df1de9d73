//! What a pod runs with, as a name that says nothing: both sides compute it, so that a reload can be confirmed.
//!
//! Anyone who reaches the admin port can read it. It is therefore keyed by a nonce from the mounted settings, without
//! which nobody can try out what a database URL might be. Certificates are confirmed by their fingerprints instead.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Bytes of a digest that are kept: 12 hexadecimal digits.
const KEPT: usize = 6;

/// What a mounted source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub enum SourceKind {
    /// A document of the configuration, by its file name.
    Configuration,
    /// The bundle of an API's client authorities, by the API's name.
    ClientAuthorities,
    /// An API's revocation lists, by the API's name.
    RevocationLists,
    /// The database URL; it has no name.
    Database,
}

/// A source as it was read.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// What it is.
    pub kind: SourceKind,
    /// Which one.
    pub name: &'a str,
    /// What it holds.
    pub content: &'a [u8],
}

/// The revision of everything that is mounted: 12 hexadecimal digits of HMAC-SHA-256. The order does not matter.
pub fn revision(nonce: &[u8], sources: &[Source<'_>]) -> String {
    let mut sources = sources.to_vec();
    sources.sort_by_key(|source| (source.kind, source.name));
    digest_of(nonce, &sources)
}

/// The digest of one source: 12 hexadecimal digits of HMAC-SHA-256.
pub fn digest(nonce: &[u8], source: &Source<'_>) -> String {
    digest_of(nonce, &[*source])
}

fn digest_of(nonce: &[u8], sources: &[Source<'_>]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(nonce) else {
        // HMAC takes keys of every length.
        return String::new();
    };
    for source in sources {
        let kind = [source.kind as u8];
        for part in [&kind[..], source.name.as_bytes(), source.content] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
    }
    let digest = mac.finalize().into_bytes();
    let mut text = String::with_capacity(2 * KEPT);
    for byte in digest.iter().take(KEPT) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source<'a>(kind: SourceKind, name: &'a str, content: &'a str) -> Source<'a> {
        let content = content.as_bytes();
        Source {
            kind,
            name,
            content,
        }
    }

    #[test]
    fn the_order_of_reading_does_not_matter_and_all_else_does() {
        let url = source(SourceKind::Database, "", "mysql://nova:secret@db/nova");
        let live = source(SourceKind::Configuration, "live.yaml", "a");
        let known = revision(b"nonce", &[url, live]);
        assert_eq!(known, revision(b"nonce", &[live, url]));
        assert_eq!(known, "5cdd755187a3");
        let others = [
            revision(b"another", &[url, live]),
            revision(b"nonce", &[url]),
            revision(b"nonce", &[url, source(live.kind, "live.yaml", "b")]),
            revision(b"nonce", &[url, source(live.kind, "live.yam", "la")]),
            revision(
                b"nonce",
                &[source(live.kind, "", "mysql://nova:secret@db/nova"), live],
            ),
        ];
        assert!(others.iter().all(|other| *other != known));
    }
}
