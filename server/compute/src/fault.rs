//! Errors in nova's own shape (nova: `api/openstack/wsgi.py:Fault`).

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::json;

/// `{"badRequest": {"code": 400, "message": "…"}}`.
#[derive(Debug)]
pub(crate) struct Fault {
    status: StatusCode,
    message: String,
}

impl Fault {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    /// The name of the fault (nova: `Fault._fault_names`).
    fn name(&self) -> &'static str {
        match self.status.as_u16() {
            400 => "badRequest",
            401 => "unauthorized",
            403 => "forbidden",
            404 => "itemNotFound",
            405 => "badMethod",
            409 => "conflictingRequest",
            413 | 429 => "overLimit",
            415 => "badMediaType",
            501 => "notImplemented",
            503 => "serviceUnavailable",
            _ => "computeFault",
        }
    }
}

#[derive(serde::Serialize)]
struct Details<'a> {
    code: u16,
    message: &'a str,
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(
            self.name(),
            &Details {
                code: self.status.as_u16(),
                message: &self.message,
            },
        )?;
        map.end()
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        json::response(self.status, "application/json; charset=UTF-8", &self)
    }
}
