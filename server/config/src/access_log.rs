//! `wsgi_log_format`: Python's `%(name)s`, understood once and for all before the first request.

mod conversion;

use serde::{Deserialize, Serialize};

pub use conversion::{Conversion, Kind};

/// nova's default.
const NOVA: &str = "%(client_ip)s \"%(request_line)s\" status: %(status_code)s len: %(body_length)s time: %(wall_seconds).7f";
/// In place of a format: one JSON object a line.
const JSON: &str = "json";

/// How requests are logged.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AccessLog {
    /// `wsgi_log_format`, with Python's rules for `%(name)s`, `d` and `f`; or `json` for one object a line with every
    /// [`Value`] in it. Default: nova's.
    pub format: String,
}

impl Default for AccessLog {
    fn default() -> Self {
        Self {
            format: NOVA.to_owned(),
        }
    }
}

/// What can be told of a request. The first seven are eventlet's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// Where it came from: the peer, before it whom trusted proxies came from, joined by commas.
    ClientIp,
    /// The port it came from.
    ClientPort,
    /// When it ended, as `13/Jun/2018 09:12:33`, UTC.
    DateTime,
    /// Method, target and protocol.
    RequestLine,
    /// Status of the answer; 499 when the client left before there was one.
    StatusCode,
    /// Bytes of the answer's body that were sent.
    BodyLength,
    /// From the head of the request to the last byte of the answer.
    WallSeconds,
    /// `x-openstack-request-id` of the answer.
    RequestId,
    /// The microversion the answer has.
    Microversion,
    /// Distinguished name of the client's certificate.
    ClientIdentity,
    /// `User-Agent` of the request.
    UserAgent,
    /// Method of the request.
    Method,
    /// Path and query of the request, as it came.
    Path,
    /// `HTTP/1.0`, `HTTP/1.1` or `HTTP/2.0`.
    Protocol,
    /// Process id of the worker.
    Pid,
}

/// Every value by its name, in the order JSON has them.
pub const VALUES: [(&str, Value); 15] = [
    ("client_ip", Value::ClientIp),
    ("client_port", Value::ClientPort),
    ("date_time", Value::DateTime),
    ("request_line", Value::RequestLine),
    ("status_code", Value::StatusCode),
    ("body_length", Value::BodyLength),
    ("wall_seconds", Value::WallSeconds),
    ("request_id", Value::RequestId),
    ("microversion", Value::Microversion),
    ("client_identity", Value::ClientIdentity),
    ("user_agent", Value::UserAgent),
    ("method", Value::Method),
    ("path", Value::Path),
    ("protocol", Value::Protocol),
    ("pid", Value::Pid),
];

impl Value {
    /// Whether `%d` and `%f` can write it.
    fn is_number(self) -> bool {
        matches!(
            self,
            Self::ClientPort | Self::StatusCode | Self::BodyLength | Self::WallSeconds | Self::Pid
        )
    }
}

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Stands in every line.
    Text(String),
    /// Different in every line.
    Value(Value, Conversion),
}

/// Why a format cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// There is no such value.
    #[error("there is no %({name})s: the names are {}", names())]
    Unknown {
        /// What stands there.
        name: String,
    },
    /// Something after a `%` that Python does not understand, or that we do not.
    #[error(
        "'{text}' is none of %(name)s, %(name)d, %(name)f and %%: the names are {}",
        names()
    )]
    Conversion {
        /// What stands there.
        text: String,
    },
    /// A text where a number is needed.
    #[error("%({name})s is no number: write it with s")]
    NoNumber {
        /// The value.
        name: &'static str,
    },
    /// A line that would be longer than anybody reads.
    #[error(
        "'{text}' is wider than {} characters: choose less",
        Conversion::WIDEST
    )]
    TooWide {
        /// What stands there.
        text: String,
    },
}

fn names() -> String {
    VALUES.map(|(name, _)| name).join(", ")
}

impl AccessLog {
    /// What each line is made of; `None` for JSON.
    pub fn parts(&self) -> Result<Option<Vec<Part>>, FormatError> {
        if self.format == JSON {
            return Ok(None);
        }
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = self.format.as_str();
        while let Some(at) = rest.find('%') {
            text.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(after) = rest.strip_prefix("%%") {
                text.push('%');
                rest = after;
                continue;
            }
            let (name, conversion, after) = conversion::read(rest)?;
            let (name, value) = VALUES
                .into_iter()
                .find(|(known, _)| *known == name)
                .ok_or_else(|| FormatError::Unknown {
                    name: name.to_owned(),
                })?;
            if conversion.kind != Kind::Text && !value.is_number() {
                return Err(FormatError::NoNumber { name });
            }
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            parts.push(Part::Value(value, conversion));
            rest = after;
        }
        text.push_str(rest);
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(Some(parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn parts(format: &str) -> Result<Option<Vec<Part>>, FormatError> {
        let format = format.to_owned();
        AccessLog { format }.parts()
    }

    const PLAIN: Conversion = Conversion::plain(Kind::Text);

    #[test]
    fn nova_s_format_is_understood() {
        let text = |text: &str| Part::Text(text.to_owned());
        let seconds = Conversion {
            precision: Some(7),
            ..Conversion::plain(Kind::Fixed)
        };
        assert_eq!(
            AccessLog::default().parts().unwrap().unwrap(),
            [
                Part::Value(Value::ClientIp, PLAIN),
                text(" \""),
                Part::Value(Value::RequestLine, PLAIN),
                text("\" status: "),
                Part::Value(Value::StatusCode, PLAIN),
                text(" len: "),
                Part::Value(Value::BodyLength, PLAIN),
                text(" time: "),
                Part::Value(Value::WallSeconds, seconds),
            ]
        );
    }

    #[test]
    fn json_is_no_format() {
        assert_eq!(parts("json"), Ok(None));
    }

    #[test]
    fn every_name_is_known() {
        for (name, value) in VALUES {
            let found = parts(&format!("%({name})s")).unwrap().unwrap();
            assert_eq!(found, [Part::Value(value, PLAIN)]);
        }
    }

    #[rstest]
    #[case("", &[])]
    #[case("100%%", &["100%"])]
    #[case("%%(client_ip)s", &["%(client_ip)s"])]
    fn texts_stand_as_they_are(#[case] format: &str, #[case] texts: &[&str]) {
        let texts: Vec<_> = texts
            .iter()
            .map(|text| Part::Text((*text).to_owned()))
            .collect();
        assert_eq!(parts(format).unwrap().unwrap(), texts);
    }

    const NAMES: &str = "client_ip, client_port, date_time, request_line, status_code, body_length, wall_seconds, \
        request_id, microversion, client_identity, user_agent, method, path, protocol, pid";

    #[rstest]
    #[case::unknown("%(client)s", "there is no %(client)s: the names are NAMES")]
    #[case::no_name(
        "%s",
        "'%s' is none of %(name)s, %(name)d, %(name)f and %%: the names are NAMES"
    )]
    #[case::open(
        "%(client_ip",
        "'%(client_ip' is none of %(name)s, %(name)d, %(name)f and %%: the names are NAMES"
    )]
    #[case::cut(
        "%(client_ip)",
        "'%(client_ip)' is none of %(name)s, %(name)d, %(name)f and %%: the names are NAMES"
    )]
    #[case::alone(
        "50%",
        "'%' is none of %(name)s, %(name)d, %(name)f and %%: the names are NAMES"
    )]
    #[case::kind(
        "%(pid)x",
        "'%(pid)x' is none of %(name)s, %(name)d, %(name)f and %%: the names are NAMES"
    )]
    #[case::star(
        "%(pid)*d",
        "'%(pid)*' is none of %(name)s, %(name)d, %(name)f and %%: the names are NAMES"
    )]
    #[case::text("%(request_line)d", "%(request_line)s is no number: write it with s")]
    #[case::wide(
        "%(pid)1001d",
        "'%(pid)1001d' is wider than 1000 characters: choose less"
    )]
    #[case::exact(
        "%(wall_seconds).1001f",
        "'%(wall_seconds).1001f' is wider than 1000 characters: choose less"
    )]
    fn errors_say_what_stands_there(#[case] format: &str, #[case] error: &str) {
        let error = error.replace("NAMES", NAMES);
        assert_eq!(parts(format).unwrap_err().to_string(), error);
    }
}
