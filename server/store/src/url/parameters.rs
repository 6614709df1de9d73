//! What follows the `?` of a database URL: the connect arguments of PyMySQL, mysqlclient, psycopg and pysqlite that
//! mean something here.

use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::{Dialect, UrlError};

/// How far the database has to prove who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Verify {
    /// No TLS.
    Off,
    /// TLS when the server offers it, and any certificate: psycopg's default. For MySQL it is ours too: MySQL 8 takes
    /// no password over an open connection otherwise.
    #[default]
    IfOffered,
    /// TLS with any certificate.
    Any,
    /// The certificate is signed by a known authority.
    Authority,
    /// And it is valid for the host.
    Identity,
}

/// What TLS to the database needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tls {
    pub(crate) verify: Verify,
    pub(crate) authority: Option<PathBuf>,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

#[derive(Default)]
pub(super) struct Parameters {
    pub(super) host: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) socket: Option<PathBuf>,
    pub(super) tls: Tls,
    pub(super) timeout: Option<Duration>,
    pub(super) application: Option<String>,
    pub(super) ignored: Vec<String>,
    mode: Option<Verify>,
    verify: Option<bool>,
    identity: Option<bool>,
}

impl Parameters {
    pub(super) fn read(dialect: Dialect, query: &str) -> Result<Self, UrlError> {
        let mut found = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name), decode(value));
            let known = match dialect {
                Dialect::Mysql => found.mysql(&name, value)?,
                Dialect::Postgres => found.postgres(&name, value)?,
                Dialect::Sqlite => found.sqlite(&name, &value)?,
            };
            if !known {
                found.ignored.push(name);
            }
        }
        found.tls.verify = match dialect {
            Dialect::Mysql => found.mysql_verify(),
            Dialect::Postgres => found.postgres_verify(),
            Dialect::Sqlite => Verify::Off,
        };
        Ok(found)
    }

    /// Takes a parameter in; `false` when it is not known.
    fn mysql(&mut self, name: &str, value: String) -> Result<bool, UrlError> {
        match name {
            // The connection always speaks utf8mb4, of which these are parts.
            "charset" if value.starts_with("utf8") => {}
            // oslo.db's way to silence a warning.
            "binary_prefix" | "use_unicode" => {}
            "unix_socket" => self.socket = Some(value.into()),
            "connect_timeout" | "connection_timeout" => self.timeout = seconds(name, &value)?,
            "ssl_ca" => self.tls.authority = Some(value.into()),
            "ssl_cert" => self.tls.certificate = Some(value.into()),
            "ssl_key" => self.tls.key = Some(value.into()),
            "ssl_verify_cert" => self.verify = Some(boolean(name, &value)?),
            "ssl_verify_identity" | "ssl_check_hostname" => {
                self.identity = Some(boolean(name, &value)?);
            }
            "ssl_disabled" => self.mode = boolean(name, &value)?.then_some(Verify::Off),
            "ssl_mode" => {
                self.mode = Some(match value.to_ascii_uppercase().as_str() {
                    "DISABLED" => Verify::Off,
                    "PREFERRED" => Verify::IfOffered,
                    "REQUIRED" => Verify::Any,
                    "VERIFY_CA" => Verify::Authority,
                    "VERIFY_IDENTITY" => Verify::Identity,
                    _ => {
                        return Err(wrong(
                            name,
                            "DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY",
                        ));
                    }
                });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// As PyMySQL is called by SQLAlchemy: an authority means that certificate and host name are checked unless a
    /// parameter says they are not.
    fn mysql_verify(&self) -> Verify {
        let tls = &self.tls;
        let any = tls.authority.is_some() || tls.certificate.is_some() || tls.key.is_some();
        match (self.mode, self.verify, self.identity) {
            (Some(mode), ..) => mode,
            (None, Some(false), _) => Verify::Any,
            (None, Some(true), Some(false)) => Verify::Authority,
            (None, Some(true), _) | (None, None, Some(true)) => Verify::Identity,
            (None, None, Some(false)) if tls.authority.is_some() => Verify::Authority,
            (None, None, None) if tls.authority.is_some() => Verify::Identity,
            (None, None, _) if any => Verify::Any,
            (None, None, _) => Verify::IfOffered,
        }
    }

    fn postgres(&mut self, name: &str, value: String) -> Result<bool, UrlError> {
        match name {
            "client_encoding" if value.to_ascii_lowercase().starts_with("utf") => {}
            "host" if value.starts_with('/') => self.socket = Some(value.into()),
            "host" => self.host = Some(value),
            "port" => match value.parse() {
                Ok(0) | Err(_) => return Err(UrlError::Port),
                Ok(port) => self.port = Some(port),
            },
            "unix_socket" => self.socket = Some(value.into()),
            "connect_timeout" | "timeout" => self.timeout = seconds(name, &value)?,
            "application_name" => self.application = Some(value),
            "sslrootcert" | "ssl_ca" => self.tls.authority = Some(value.into()),
            "sslcert" | "ssl_cert" => self.tls.certificate = Some(value.into()),
            "sslkey" | "ssl_key" => self.tls.key = Some(value.into()),
            // `ssl` is asyncpg's name for it.
            "sslmode" | "ssl" => {
                self.mode = Some(match value.as_str() {
                    "disable" | "allow" => Verify::Off,
                    "prefer" => Verify::IfOffered,
                    "require" | "true" => Verify::Any,
                    "verify-ca" => Verify::Authority,
                    "verify-full" => Verify::Identity,
                    _ => {
                        return Err(wrong(
                            name,
                            "disable, allow, prefer, require, verify-ca or verify-full",
                        ));
                    }
                });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// As libpq: `require` beside an authority is `verify-ca`.
    fn postgres_verify(&self) -> Verify {
        match self.mode.unwrap_or_default() {
            Verify::Any if self.tls.authority.is_some() => Verify::Authority,
            verify => verify,
        }
    }

    fn sqlite(&mut self, name: &str, value: &str) -> Result<bool, UrlError> {
        match name {
            "timeout" => self.timeout = seconds(name, value)?,
            "check_same_thread" => {}
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// As `urllib.parse.parse_qsl`, which SQLAlchemy uses.
fn decode(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8_lossy().into_owned()
}

/// Whole seconds; 0 is the default, as libpq has it.
fn seconds(name: &str, value: &str) -> Result<Option<Duration>, UrlError> {
    match value.parse::<u64>() {
        Ok(0) => Ok(None),
        Ok(seconds) if seconds <= 3600 => Ok(Some(Duration::from_secs(seconds))),
        _ => Err(wrong(name, "a whole number of seconds, at most 3600")),
    }
}

fn boolean(name: &str, value: &str) -> Result<bool, UrlError> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(wrong(name, "true or false")),
    }
}

fn wrong(name: &str, expected: &'static str) -> UrlError {
    UrlError::Parameter {
        name: name.to_owned(),
        expected,
    }
}
