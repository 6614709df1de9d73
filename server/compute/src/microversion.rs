//! Microversions: which one a request asks for, and how an answer names it.

use std::fmt;

use axum::response::{IntoResponse, Response};
use http::header::VARY;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::fault::Fault;
use crate::header;

const STANDARD: HeaderName = HeaderName::from_static("openstack-api-version");
const LEGACY: HeaderName = HeaderName::from_static("x-openstack-nova-api-version");

/// The oldest microversion, and the one of a request that names none.
pub const MIN_MICROVERSION: Microversion = Microversion { major: 2, minor: 1 };
/// The newest microversion: nova 34's.
pub const MAX_MICROVERSION: Microversion = Microversion {
    major: 2,
    minor: 104,
};

/// A microversion, as `2.104`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Microversion {
    /// Always 2, so far.
    pub major: u32,
    /// Counts up with each change of the API.
    pub minor: u32,
}

impl fmt::Display for Microversion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

/// A microversion that cannot be had, as it was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Not `X.Y`.
    Format(String),
    /// Below the minimum or above the maximum.
    Range(String),
}

impl Microversion {
    /// `OpenStack-API-Version: compute X.Y` (the last entry for compute), else `X-OpenStack-Nova-API-Version: X.Y`
    /// (the last entry), else the minimum (microversion-parse: `get_version`; nova: `Request.set_api_version_request`).
    pub(crate) fn requested(headers: &HeaderMap) -> Result<Self, Refused> {
        let standard = header::text(headers, STANDARD);
        let legacy = header::text(headers, LEGACY);
        let version = standard.as_deref().and_then(of_compute);
        match version.or_else(|| {
            legacy
                .as_deref()
                .and_then(|value| value.rsplit(',').next())
                .map(str::trim)
        }) {
            None => Ok(MIN_MICROVERSION),
            Some("latest") => Ok(MAX_MICROVERSION),
            Some(text) => Self::parse(text),
        }
    }

    fn parse(text: &str) -> Result<Self, Refused> {
        let parts = text.split_once('.').filter(|(major, minor)| {
            is_number(major)
                && !major.starts_with('0')
                && is_number(minor)
                && (*minor == "0" || !minor.starts_with('0'))
        });
        let (major, minor) = parts.ok_or_else(|| Refused::Format(text.to_owned()))?;
        major
            .parse()
            .and_then(|major| {
                Ok(Self {
                    major,
                    minor: minor.parse()?,
                })
            })
            .ok()
            .filter(|version| (MIN_MICROVERSION..=MAX_MICROVERSION).contains(version))
            .ok_or_else(|| Refused::Range(text.to_owned()))
    }
}

/// The last entry of the service `compute` (microversion-parse: `check_standard_header`).
fn of_compute(value: &str) -> Option<&str> {
    value.rsplit(',').find_map(|entry| {
        let (service, version) = entry.trim().split_once(char::is_whitespace)?;
        service
            .eq_ignore_ascii_case("compute")
            .then(|| version.trim())
    })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Says on an answer which microversion it is of (nova: `Resource._process_stack`).
pub(crate) fn announce(headers: &mut HeaderMap, version: Microversion) {
    // What nearly all clients get is not written anew for each of them.
    if version == MIN_MICROVERSION {
        let legacy = HeaderValue::from_static("2.1");
        say(headers, HeaderValue::from_static("compute 2.1"), legacy);
    } else {
        announce_text(headers, &version.to_string());
    }
}

fn announce_text(headers: &mut HeaderMap, version: &str) {
    if let (Ok(standard), Ok(legacy)) =
        (format!("compute {version}").try_into(), version.try_into())
    {
        say(headers, standard, legacy);
    }
}

fn say(headers: &mut HeaderMap, standard: HeaderValue, legacy: HeaderValue) {
    headers.insert(STANDARD, standard);
    headers.insert(LEGACY, legacy);
    for name in ["OpenStack-API-Version", "X-OpenStack-Nova-API-Version"] {
        headers.append(VARY, HeaderValue::from_static(name));
    }
}

impl IntoResponse for Refused {
    /// 400 for a bad form; 406 for one out of range, which names the version asked for as if it were served.
    fn into_response(self) -> Response {
        match self {
            Self::Format(text) => {
                let message = format!(
                    "API Version String {text} is of invalid format. Must be of format MajorNum.MinorNum."
                );
                Fault::new(StatusCode::BAD_REQUEST, message).into_response()
            }
            Self::Range(text) => {
                let message = format!(
                    "Version {text} is not supported by the API. Minimum is {MIN_MICROVERSION} and maximum is \
                     {MAX_MICROVERSION}."
                );
                let mut response = Fault::new(StatusCode::NOT_ACCEPTABLE, message).into_response();
                announce_text(response.headers_mut(), &text);
                response
            }
        }
    }
}
