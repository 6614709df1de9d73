//! What the documents say. The order of fields is the order on the wire.

use serde::Serialize;

use super::Release;
use crate::url;

#[derive(Serialize)]
pub(super) struct Versions {
    versions: [Listed; 2],
}

#[derive(Serialize)]
pub(super) struct Choices {
    choices: [Choice; 2],
}

#[derive(Serialize)]
pub(super) struct Document {
    version: Described,
}

#[derive(Serialize)]
struct Listed {
    id: &'static str,
    status: &'static str,
    version: &'static str,
    min_version: &'static str,
    updated: &'static str,
    links: [Link; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Choice {
    id: &'static str,
    status: &'static str,
    links: [Link; 1],
    media_types: [MediaType; 1],
}

#[derive(Serialize)]
struct Described {
    id: &'static str,
    status: &'static str,
    version: &'static str,
    min_version: &'static str,
    updated: &'static str,
    links: (Link, DescribedBy),
    #[serde(rename = "media-types")]
    media_types: [MediaType; 1],
}

#[derive(Serialize)]
struct Link {
    rel: &'static str,
    href: String,
}

#[derive(Serialize)]
struct DescribedBy {
    rel: &'static str,
    r#type: &'static str,
    href: &'static str,
}

#[derive(Clone, Copy, Serialize)]
struct MediaType {
    base: &'static str,
    r#type: &'static str,
}

/// What is known of a version (nova: `compute/versions.py:VERSIONS`).
struct Facts {
    id: &'static str,
    status: &'static str,
    version: &'static str,
    min_version: &'static str,
    updated: &'static str,
    media_type: &'static str,
    /// The part of a link that names the version.
    path: &'static str,
}

const V20: Facts = Facts {
    id: "v2.0",
    status: "DEPRECATED",
    version: "",
    min_version: "",
    updated: "2025-07-04T12:00:00Z",
    media_type: "application/vnd.openstack.compute+json;version=2",
    path: "v2",
};

const V21: Facts = Facts {
    id: "v2.1",
    status: "CURRENT",
    version: "2.104",
    min_version: "2.1",
    updated: "2013-07-23T11:33:21Z",
    media_type: "application/vnd.openstack.compute+json;version=2.1",
    path: "v2.1",
};

impl Versions {
    /// `base`: where the list itself stands.
    pub(super) fn at(base: &str) -> Self {
        let versions = [V20, V21].map(|facts| Listed {
            id: facts.id,
            status: facts.status,
            version: facts.version,
            min_version: facts.min_version,
            updated: facts.updated,
            links: [Link::itself(url::join(base, facts.path, ""))],
        });
        Self { versions }
    }
}

impl Choices {
    /// `path`: what was asked for, percent-encoded.
    pub(super) fn at(base: &str, path: &str) -> Self {
        let choices = [V20, V21].map(|facts| Choice {
            id: facts.id,
            status: facts.status,
            links: [Link::itself(url::join(base, facts.path, path))],
            media_types: [facts.media_type()],
        });
        Self { choices }
    }
}

impl Document {
    /// `base`: where the version stands.
    pub(super) fn at(base: &str, release: Release) -> Self {
        let facts = match release {
            Release::V20 => V20,
            Release::V21 => V21,
        };
        let docs = DescribedBy {
            rel: "describedby",
            r#type: "text/html",
            href: "http://docs.openstack.org/",
        };
        let version = Described {
            id: facts.id,
            status: facts.status,
            version: facts.version,
            min_version: facts.min_version,
            updated: facts.updated,
            links: (
                Link::itself(format!("{}/", base.trim_end_matches('/'))),
                docs,
            ),
            media_types: [facts.media_type()],
        };
        Self { version }
    }
}

impl Facts {
    fn media_type(&self) -> MediaType {
        MediaType {
            base: "application/json",
            r#type: self.media_type,
        }
    }
}

impl Link {
    fn itself(href: String) -> Self {
        Self { rel: "self", href }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MAX_MICROVERSION, MIN_MICROVERSION};

    #[test]
    fn the_range_is_the_one_that_is_checked() {
        assert_eq!(V21.version, MAX_MICROVERSION.to_string());
        assert_eq!(V21.min_version, MIN_MICROVERSION.to_string());
    }
}
