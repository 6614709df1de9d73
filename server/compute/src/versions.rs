//! The version documents (nova: `api/openstack/compute/versions.py` and `views/versions.py`).

mod documents;
mod written;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::fault::Fault;
use crate::microversion::{self, Microversion};
use crate::urlmap::Mount;
use crate::{Origin, json, origin, resource, url};

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
pub(crate) async fn list(
    mount: Mount,
    request: Request,
    origin: &Origin,
) -> Result<Response, Fault> {
    let (parts, body) = request.into_parts();
    resource::check(&parts, body).await?;
    let base = origin::host_url(&parts, origin) + mount.base;
    Ok(if mount.is_root {
        let body = written::body(About::List, &base, || Versions::at(&base));
        json::ready(StatusCode::OK, mount.media_type, body)
    } else {
        json::response(
            StatusCode::MULTIPLE_CHOICES,
            mount.media_type,
            &Choices::at(&base, &url::quote(&mount.path)),
        )
    })
}

/// `/v2/` and `/v2.1/`: one version. Only v2.1 minds microversions (nova: `VersionsV2`, `LegacyV2CompatibleWrapper`).
pub(crate) async fn show(
    release: Release,
    mount: Mount,
    request: Request,
    origin: &Origin,
) -> Response {
    match release {
        Release::V20 => document(release, mount, request, origin)
            .await
            .into_response(),
        Release::V21 => match Microversion::requested(request.headers()) {
            Ok(version) => {
                let mut response = document(release, mount, request, origin)
                    .await
                    .into_response();
                microversion::announce(response.headers_mut(), &version.to_string());
                response
            }
            Err(refused) => refused.into_response(),
        },
    }
}

async fn document(
    release: Release,
    mount: Mount,
    request: Request,
    origin: &Origin,
) -> Result<Response, Fault> {
    let (parts, body) = request.into_parts();
    resource::check(&parts, body).await?;
    let base = origin::host_url(&parts, origin) + mount.base;
    let body = written::body(About::One(release), &base, || Document::at(&base, release));
    Ok(json::ready(StatusCode::OK, mount.media_type, body))
}
