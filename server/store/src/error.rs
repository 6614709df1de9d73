//! What can go wrong with a database, and whether it is worth trying again.

pub(crate) mod cause;

use crate::url::Dialect;

/// Why a store could not do what it was asked. Messages name the database by its URL without the password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It does not answer, or cannot just now: refused, timed out, starting up, full, locked. Worth trying again.
    #[error("the database {database} cannot be used now: {reason}")]
    Unreachable {
        /// The database's URL without the password.
        database: String,
        /// What it or the system said.
        reason: String,
    },
    /// It does not let the user in, or not do what was asked.
    #[error(
        "the database {database} refuses the user: {reason}; check the user and password in its URL and the user's privileges"
    )]
    Denied {
        /// The database's URL without the password.
        database: String,
        /// What it said.
        reason: String,
    },
    /// The server is there, but has no database of that name.
    #[error(
        "the database {database} does not exist: {reason}; create it, or correct the name at the end of its URL"
    )]
    UnknownDatabase {
        /// The database's URL without the password.
        database: String,
        /// What it said.
        reason: String,
    },
    /// A file the URL names cannot be used: SQLite's own, or one for TLS.
    #[error("a file of the database {database} cannot be used: {reason}")]
    File {
        /// The database's URL without the password.
        database: String,
        /// Which file, and what is wrong with it.
        reason: String,
    },
    /// TLS could not be agreed upon.
    #[error(
        "TLS with the database {database} failed: {reason}; check the server's certificate and the TLS parameters of the URL"
    )]
    Tls {
        /// The database's URL without the password.
        database: String,
        /// What is wrong.
        reason: String,
    },
    /// Our tables are not there.
    #[error(
        "the database {database} is not prepared for this release: {reason}; run `kilonova-server db sync`"
    )]
    NotSynced {
        /// The database's URL without the password.
        database: String,
        /// Which table or column is missing.
        reason: String,
    },
    /// A later release changed the schema so that ours cannot read it.
    #[error(
        "the schema of the database {database} is at version {version} and needs a release that knows version {oldest_reader}; this one knows {known}: install a later release"
    )]
    SchemaTooNew {
        /// The database's URL without the password.
        database: String,
        /// The schema's version.
        version: u32,
        /// The oldest release that may read it, by the newest schema version it knows.
        oldest_reader: u32,
        /// The newest version this release knows.
        known: u32,
    },
    /// A table of one of our names is there, and is neither ours nor nova's.
    #[error(
        "the database {database} has a table `{table}` that is not nova's: it lacks {lacks}; give Kilonova a database of its own"
    )]
    ForeignTable {
        /// The database's URL without the password.
        database: String,
        /// The table.
        table: String,
        /// Columns or unique constraints it lacks.
        lacks: String,
    },
    /// nova's `ServiceTooOld`.
    #[error(
        "This service is older (v{this}) than the minimum (v{minimum}) version of the rest of the deployment. Unable to continue."
    )]
    ServiceTooOld {
        /// Our version.
        this: u32,
        /// The lowest of the others.
        minimum: u32,
    },
    /// nova's `ObjectActionError` of `Service.get_minimum_version_multi`.
    #[error("Object action get_minimum_version failed because: Invalid binary prefix")]
    InvalidBinary,
    /// The store was closed.
    #[error("the database {database} was closed by this server, which is about to end")]
    Closed {
        /// The database's URL without the password.
        database: String,
    },
    /// Anything else.
    #[error("the database {database} could not {doing}: {reason}")]
    Failed {
        /// The database's URL without the password.
        database: String,
        /// What was asked of it.
        doing: &'static str,
        /// What it said.
        reason: String,
    },
}

impl StoreError {
    /// Whether the same may succeed later without anybody changing a setting.
    pub fn unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// The error's name, as conditions and metrics give it.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "DatabaseUnreachable",
            Self::Denied { .. } => "DatabaseDenied",
            Self::UnknownDatabase { .. } => "DatabaseUnknown",
            Self::File { .. } => "DatabaseFile",
            Self::Tls { .. } => "DatabaseTLS",
            Self::NotSynced { .. } => "SchemaMissing",
            Self::SchemaTooNew { .. } => "SchemaTooNew",
            Self::ForeignTable { .. } => "SchemaForeign",
            Self::ServiceTooOld { .. } => "ServiceTooOld",
            Self::InvalidBinary | Self::Closed { .. } | Self::Failed { .. } => "DatabaseError",
        }
    }

    /// Says what a driver's error means for whoever runs the server.
    pub(crate) fn from_driver(url: &crate::Url, doing: &'static str, error: &sqlx::Error) -> Self {
        let database = url.to_string();
        let reason = cause::text(error);
        match cause::of(url.dialect(), error) {
            cause::Cause::Unreachable | cause::Cause::Conflict => {
                Self::Unreachable { database, reason }
            }
            cause::Cause::Denied => Self::Denied { database, reason },
            cause::Cause::UnknownDatabase => Self::UnknownDatabase { database, reason },
            cause::Cause::File => Self::File {
                database,
                reason: format!("{reason}; its directory must exist, and both must be writable"),
            },
            cause::Cause::Tls => Self::Tls { database, reason },
            cause::Cause::Missing => Self::NotSynced { database, reason },
            cause::Cause::Closed => Self::Closed { database },
            cause::Cause::Protocol => Self::Failed {
                database,
                doing,
                reason: format!("{reason}; is it a {} server?", name(url.dialect())),
            },
            cause::Cause::Duplicate | cause::Cause::Other => Self::Failed {
                database,
                doing,
                reason,
            },
        }
    }
}

fn name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "SQLite",
        Dialect::Postgres => "PostgreSQL",
        Dialect::Mysql => "MySQL or MariaDB",
    }
}
