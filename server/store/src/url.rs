//! Database URLs as nova.conf has them.
//!
//! ```text
//! mysql+pymysql://nova:p%40ss@db.example:3306/nova?charset=utf8&ssl_ca=/etc/ssl/db.pem
//! dialect driver  user password host     port name  parameters
//! ```

mod parameters;
mod text;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

pub(crate) use parameters::{Tls, Verify};

/// Which kind of database a URL names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// A file beside the server.
    Sqlite,
    /// `PostgreSQL`.
    Postgres,
    /// `MySQL` or `MariaDB`.
    Mysql,
}

/// A database URL in SQLAlchemy's form: `[database] connection` of nova.conf.
///
/// Neither `Display` nor `Debug` shows the password or the parameters.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    pub(crate) scheme: String,
    pub(crate) dialect: Dialect,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) port: Option<u16>,
    /// The database's name, or the path of the file.
    pub(crate) database: String,
    /// The directory or file of a Unix socket, instead of host and port.
    pub(crate) socket: Option<PathBuf>,
    pub(crate) tls: Tls,
    /// How long to wait for a connection, or in SQLite for the file's lock.
    pub(crate) timeout: Option<Duration>,
    pub(crate) application: Option<String>,
    ignored: Vec<String>,
}

/// Why a text is not a URL we can connect to. No message holds any part of a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// There is no `scheme://` in front.
    #[error(
        "the database URL does not begin with a scheme: write it as in nova.conf, for example mysql+pymysql://user:password@host/nova"
    )]
    NoScheme,
    /// A database we have no driver for.
    #[error(
        "the database URL begins with `{0}`: only mysql, mariadb, postgresql and sqlite are supported"
    )]
    Scheme(String),
    /// A Python driver that SQLAlchemy does not have for this database.
    #[error(
        "the database URL names the driver `{driver}`, which is not known for {dialect}: leave it out, as in {dialect}://…"
    )]
    Driver {
        /// What stands before the `+`.
        dialect: String,
        /// What stands after it.
        driver: String,
    },
    /// An `@` that does not end the user and password.
    #[error(
        "the database URL has an `@` after its host: in a user name or password write `@` as %40, `:` as %3A, `/` as %2F"
    )]
    At,
    /// The user name or password is not percent-encoded UTF-8.
    #[error("the {0} in the database URL is not percent-encoded UTF-8")]
    Encoding(&'static str),
    /// The host cannot be one.
    #[error(
        "the host in the database URL is not valid: an IPv6 address stands in brackets, as in [::1]"
    )]
    Host,
    /// Two slashes before a file instead of three or four.
    #[error(
        "the database URL names a host for SQLite: write sqlite:///file for a file in the working directory, sqlite:////file for one at the root"
    )]
    Slashes,
    /// The port is not a number from 1 to 65535.
    #[error("the port in the database URL is not a number from 1 to 65535")]
    Port,
    /// No database is named.
    #[error("the database URL names no database: add it after the host, as in {0}://…/nova")]
    NoDatabase(String),
    /// A database in memory, which each process would have for itself.
    #[error(
        "the database URL names SQLite in memory, but several processes share the database: name a file, as in sqlite:////var/lib/kilonova/kilonova.sqlite"
    )]
    Memory,
    /// A parameter we know has a value we do not.
    #[error("the parameter `{name}` in the database URL must be {expected}")]
    Parameter {
        /// Its name.
        name: String,
        /// What its value has to be.
        expected: &'static str,
    },
}

impl Url {
    /// Reads a URL; white space around it, as a file's last line end, does not count.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        text::parse(url.trim())
    }

    /// The kind of database.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Names of the parameters that are not known here and have no effect, in order.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<Self, UrlError> {
        Self::parse(url)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}://", self.scheme)?;
        if let Some(username) = &self.username {
            to.write_str(username)?;
            if self.password.is_some() {
                to.write_str(":***")?;
            }
            to.write_str("@")?;
        }
        match &self.host {
            Some(host) if host.contains(':') => write!(to, "[{host}]")?,
            Some(host) => to.write_str(host)?,
            None => {}
        }
        if let Some(port) = self.port {
            write!(to, ":{port}")?;
        }
        write!(to, "/{}", self.database)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Url({self})")
    }
}

#[cfg(test)]
mod tests;
