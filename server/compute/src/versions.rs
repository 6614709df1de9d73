//! The version documents (nova: `api/openstack/compute/versions.py` and `views/versions.py`).

mod documents;
mod written;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::fault::Fault;
use crate::microversion::{self, Microversion};
use crate::urlmap::Mount;
use crate::{Origin, json, origin, url};

use documents::{Choices, Document, Versions};
use written::About;

/// A version of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// v2.0: v2.1 for clients that know no microversions.
    V20,
    /// v2.1, with microversions.
    V21,
}

/// `/`: all versions. Any other path: 300, and where each version would have it (nova: `Versions`).
pub(crate) fn list(mount: &Mount, parts: &Parts, origin: &Origin) -> Response {
    let base = origin::host_url(parts, origin) + mount.base;
    if mount.is_root {
        let body = written::body(About::List, &base, || Versions::at(&base));
        json::ready(StatusCode::OK, mount.media_type, body)
    } else {
        json::response(
            StatusCode::MULTIPLE_CHOICES,
            mount.media_type,
            &Choices::at(&base, &url::quote(&mount.path)),
        )
    }
}

/// `/v2/` and `/v2.1/`: one version, if the request was found good. Only v2.1 minds microversions, and does so first
/// (nova: `VersionsV2`, `LegacyV2CompatibleWrapper`).
pub(crate) fn show(
    release: Release,
    mount: &Mount,
    parts: &Parts,
    checked: Result<(), Fault>,
    origin: &Origin,
) -> Response {
    let document = || {
        let document = checked.map(|()| document(release, mount, parts, origin));
        document.into_response()
    };
    match release {
        Release::V20 => document(),
        Release::V21 => match Microversion::requested(&parts.headers) {
            Ok(version) => {
                let mut response = document();
                microversion::announce(response.headers_mut(), version);
                response
            }
            Err(refused) => refused.into_response(),
        },
    }
}

fn document(release: Release, mount: &Mount, parts: &Parts, origin: &Origin) -> Response {
    let base = origin::host_url(parts, origin) + mount.base;
    let body = written::body(About::One(release), &base, || Document::at(&base, release));
    json::ready(StatusCode::OK, mount.media_type, body)
}
