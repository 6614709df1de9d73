//! Lines of the access log, rendered straight to where they are written from.

mod number;

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use http::header::HeaderValue;
use http::{Uri, Version};
use kilonova_config::AccessLog;
use kilonova_config::access_log::{Conversion, FormatError, Kind, Part, VALUES, Value};

use crate::log::Clock;
use number::{decimal, fixed, pad};

/// What each line is made of.
#[derive(Clone, Debug)]
pub struct Format {
    /// `None` for JSON.
    parts: Option<Vec<Part>>,
    /// Whether a line says something of the request's `User-Agent`.
    pub user_agent: bool,
    /// Whether a line says something of the answer's microversion.
    pub microversion: bool,
}

/// What there is to say of a request.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// The client and the trusted proxies after it, without the peer; usually nobody.
    pub chain: &'a [String],
    /// Who connected.
    pub peer: SocketAddr,
    /// The peer's address as text.
    pub client: &'a str,
    /// Of the request.
    pub method: &'a str,
    /// Of the request.
    pub uri: &'a Uri,
    /// Of the request.
    pub version: Version,
    /// Of the answer.
    pub status: u16,
    /// Bytes of the answer's body.
    pub length: u64,
    /// From the request's head to the answer's last byte.
    pub took: Duration,
    /// Of the answer.
    pub request_id: Option<&'a str>,
    /// Of the answer.
    pub microversion: Option<&'a str>,
    /// Of the client's certificate.
    pub identity: Option<&'a str>,
    /// Of the request.
    pub user_agent: Option<&'a HeaderValue>,
}

impl Format {
    /// Understands a format.
    pub fn of(settings: &AccessLog) -> Result<Self, FormatError> {
        let parts = settings.parts()?;
        let says = |wanted: Value| {
            let named = |part: &Part| matches!(part, Part::Value(value, _) if *value == wanted);
            parts.as_ref().is_none_or(|parts| parts.iter().any(named))
        };
        Ok(Self {
            user_agent: says(Value::UserAgent),
            microversion: says(Value::Microversion),
            parts,
        })
    }

    /// Whether lines are JSON.
    pub fn is_json(&self) -> bool {
        self.parts.is_none()
    }

    /// Appends what the format makes of a request.
    pub(crate) fn write(&self, out: &mut Vec<u8>, clock: &Clock, record: &Record<'_>) {
        for part in self.parts.iter().flatten() {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Value(value, conversion) => record.write(out, clock, *value, conversion),
            }
        }
    }
}

impl Record<'_> {
    /// Appends an object with everything there is to say.
    pub(crate) fn object(&self, out: &mut Vec<u8>, clock: &Clock, logger: &str) {
        crate::log::open(out, clock, "INFO", logger);
        for (name, value) in VALUES {
            // It stands at the beginning already, as in all lines.
            if value == Value::Pid {
                continue;
            }
            // Writing to memory cannot fail.
            let _ = write!(out, ",\"{name}\":");
            self.json(out, clock, value);
        }
        let _ = write!(out, ",\"peer_ip\":\"{}\"}}", self.client);
    }

    fn write(&self, out: &mut Vec<u8>, clock: &Clock, value: Value, conversion: &Conversion) {
        let start = out.len();
        match (conversion.kind, value) {
            (Kind::Text, Value::WallSeconds) => {
                let _ = write!(out, "{:?}", self.took.as_secs_f64());
            }
            (Kind::Text, _) => self.text(out, clock, value),
            (Kind::Fixed, Value::WallSeconds) => {
                fixed(out, self.took, conversion.precision.unwrap_or(6));
            }
            (Kind::Fixed, _) => {
                let seconds = Duration::from_secs(self.number(value));
                fixed(out, seconds, conversion.precision.unwrap_or(6));
            }
            (Kind::Integer, _) => {
                decimal(out, self.number(value));
            }
        }
        // The decimals stand there already.
        let done = Conversion {
            precision: conversion
                .precision
                .filter(|_| conversion.kind == Kind::Fixed),
            ..Conversion::plain(conversion.kind)
        };
        if *conversion != done {
            pad(out, start, conversion);
        }
    }

    fn number(&self, value: Value) -> u64 {
        match value {
            Value::ClientPort => self.peer.port().into(),
            Value::StatusCode => self.status.into(),
            Value::BodyLength => self.length,
            Value::Pid => crate::log::pid().0.into(),
            // As Python, which cuts a fraction off.
            Value::WallSeconds => self.took.as_secs(),
            _ => 0,
        }
    }

    fn text(&self, out: &mut Vec<u8>, clock: &Clock, value: Value) {
        match value {
            Value::ClientIp => {
                for node in self.chain {
                    out.extend_from_slice(node.as_bytes());
                    out.push(b',');
                }
                out.extend_from_slice(self.client.as_bytes());
            }
            Value::DateTime => out.extend_from_slice(clock.date_time().as_bytes()),
            Value::RequestLine => {
                out.extend_from_slice(self.method.as_bytes());
                out.push(b' ');
                out.extend_from_slice(self.path().as_bytes());
                out.push(b' ');
                out.extend_from_slice(self.protocol().as_bytes());
            }
            Value::Method => out.extend_from_slice(self.method.as_bytes()),
            Value::Path => out.extend_from_slice(self.path().as_bytes()),
            Value::Protocol => out.extend_from_slice(self.protocol().as_bytes()),
            Value::RequestId => out.extend_from_slice(self.request_id.unwrap_or("-").as_bytes()),
            Value::Microversion => {
                out.extend_from_slice(self.microversion.unwrap_or("-").as_bytes());
            }
            Value::ClientIdentity => out.extend_from_slice(self.identity.unwrap_or("-").as_bytes()),
            Value::UserAgent => match self.user_agent {
                Some(agent) => out.extend(latin1(agent).bytes()),
                None => out.push(b'-'),
            },
            Value::ClientPort
            | Value::StatusCode
            | Value::BodyLength
            | Value::WallSeconds
            | Value::Pid => {
                decimal(out, self.number(value));
            }
        }
    }

    fn json(&self, out: &mut Vec<u8>, clock: &Clock, value: Value) {
        let quoted = |out: &mut Vec<u8>, text: Option<&str>| {
            let _ = serde_json::to_writer(out, &text);
        };
        match value {
            Value::WallSeconds => fixed(out, self.took, 7),
            Value::ClientPort | Value::StatusCode | Value::BodyLength | Value::Pid => {
                decimal(out, self.number(value));
            }
            Value::ClientIp => match self.chain.first() {
                Some(client) => quoted(out, Some(client)),
                None => quoted(out, Some(self.client)),
            },
            Value::RequestId => quoted(out, self.request_id),
            Value::Microversion => quoted(out, self.microversion),
            Value::ClientIdentity => quoted(out, self.identity),
            Value::UserAgent => quoted(out, self.user_agent.map(latin1).as_deref()),
            Value::DateTime
            | Value::RequestLine
            | Value::Method
            | Value::Path
            | Value::Protocol => {
                let mut text = Vec::with_capacity(128);
                self.text(&mut text, clock, value);
                quoted(out, Some(&String::from_utf8_lossy(&text)));
            }
        }
    }

    fn path(&self) -> &str {
        self.uri.path_and_query().map_or("", |path| path.as_str())
    }

    fn protocol(&self) -> &'static str {
        match self.version {
            Version::HTTP_2 => "HTTP/2.0",
            Version::HTTP_10 => "HTTP/1.0",
            _ => "HTTP/1.1",
        }
    }
}

/// A header as text: WSGI's servers take each byte for a character.
fn latin1(value: &HeaderValue) -> String {
    value
        .as_bytes()
        .iter()
        .map(|byte| char::from(*byte))
        .collect()
}

#[cfg(test)]
mod tests;
