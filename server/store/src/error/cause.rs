//! The codes of three databases, sorted by what to do about them.

use std::io::ErrorKind;

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};
use sqlx::mysql::MySqlDatabaseError;

use crate::url::Dialect;

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Wait and try again.
    Unreachable,
    /// Two transactions met, and this one gave way: try again at once, a few times.
    Conflict,
    /// A row with this key is there already.
    Duplicate,
    Denied,
    UnknownDatabase,
    /// A table or column is not there.
    Missing,
    File,
    Tls,
    /// The other side speaks another language.
    Protocol,
    Closed,
    Other,
}

/// The driver's error within the library's.
pub(crate) fn driver(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => Some(&sqlx::Error::PoolTimedOut),
        DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed) => {
            Some(&sqlx::Error::PoolClosed)
        }
        _ => None,
    }
}

pub(crate) fn of(dialect: Dialect, error: &sqlx::Error) -> Cause {
    match error {
        sqlx::Error::Database(error) => {
            let number = error
                .try_downcast_ref::<MySqlDatabaseError>()
                .map(|error| error.number().to_string());
            let code = number.or_else(|| error.code().map(|code| code.to_string()));
            of_code(dialect, code.as_deref().unwrap_or(""), error.message())
        }
        // What the TLS library refuses comes as invalid data.
        sqlx::Error::Io(error) if error.kind() == ErrorKind::InvalidData => Cause::Tls,
        sqlx::Error::Io(error) if error.kind() == ErrorKind::PermissionDenied => Cause::File,
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => Cause::Unreachable,
        sqlx::Error::Tls(_) => Cause::Tls,
        sqlx::Error::PoolClosed => Cause::Closed,
        sqlx::Error::Protocol(_) => Cause::Protocol,
        sqlx::Error::ColumnNotFound(_) => Cause::Missing,
        _ => Cause::Other,
    }
}

/// What the error says, without the driver's preamble.
pub(crate) fn text(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::Tls(error) => error.to_string(),
        sqlx::Error::PoolTimedOut => "no connection within the time limit".to_owned(),
        error => error.to_string(),
    }
}

fn of_code(dialect: Dialect, code: &str, message: &str) -> Cause {
    match dialect {
        Dialect::Postgres => of_sqlstate(code),
        Dialect::Mysql => of_mysql_number(code),
        Dialect::Sqlite => of_sqlite_code(code, message),
    }
}

fn of_sqlstate(code: &str) -> Cause {
    match code {
        "23505" => Cause::Duplicate,
        "28000" | "28P01" | "42501" => Cause::Denied,
        "3D000" => Cause::UnknownDatabase,
        "42P01" | "42703" | "3F000" => Cause::Missing,
        // Serialization failure, deadlock.
        "40001" | "40P01" => Cause::Conflict,
        // Read-only: a standby, which becomes the primary soon when there is a fail-over. Lock not available.
        "25006" | "55P03" => Cause::Unreachable,
        // Connection lost; too many connections, disk or memory full; shutting down, starting up; input or output.
        _ => match code.get(..2) {
            Some("08" | "53" | "57" | "58") => Cause::Unreachable,
            _ => Cause::Other,
        },
    }
}

fn of_mysql_number(code: &str) -> Cause {
    match code.parse::<u16>().unwrap_or(0) {
        // Duplicate entry for a key.
        1062 | 1586 => Cause::Duplicate,
        // Access denied to the database, to the server, to a host, to a table, to a column, for lack of a privilege.
        1044 | 1045 | 1130 | 1142 | 1143 | 1227 | 1251 | 1698 | 3118 => Cause::Denied,
        1049 => Cause::UnknownDatabase,
        1054 | 1146 => Cause::Missing,
        // Waited too long for a lock; deadlock, which is also how Galera says that another node was faster.
        1205 | 1213 => Cause::Conflict,
        // Too many connections, of all or of this user; out of memory, disk full; shutting down, killed; a lost
        // connection; read-only, as before a fail-over; Galera without a quorum.
        1021
        | 1037
        | 1038
        | 1040
        | 1041
        | 1047
        | 1053
        | 1077
        | 1079
        | 1129
        | 1152
        | 1158..=1161
        | 1184
        | 1203
        | 1226
        | 1290
        | 1317
        | 1792
        | 1836
        | 1927
        | 3024
        | 4031 => Cause::Unreachable,
        _ => Cause::Other,
    }
}

fn of_sqlite_code(code: &str, message: &str) -> Cause {
    let code: u32 = code.parse().unwrap_or(0);
    // The low byte is the primary code.
    match (code, code & 0xff) {
        // Unique constraint, primary key.
        (2067 | 1555, _) => Cause::Duplicate,
        // Busy, locked.
        (_, 5 | 6) => Cause::Conflict,
        // Input or output, disk full.
        (_, 10 | 13) => Cause::Unreachable,
        // No permission, read-only, corrupt, cannot be opened, not a database.
        (_, 3 | 8 | 11 | 14 | 26) => Cause::File,
        _ if message.starts_with("no such table") || message.starts_with("no such column") => {
            Cause::Missing
        }
        _ => Cause::Other,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Dialect::Postgres, "23505", "", Cause::Duplicate)]
    #[case(Dialect::Postgres, "28P01", "", Cause::Denied)]
    #[case(Dialect::Postgres, "3D000", "", Cause::UnknownDatabase)]
    #[case(Dialect::Postgres, "42P01", "", Cause::Missing)]
    #[case(Dialect::Postgres, "40P01", "", Cause::Conflict)]
    #[case(Dialect::Postgres, "53300", "", Cause::Unreachable)]
    #[case(Dialect::Postgres, "57P01", "", Cause::Unreachable)]
    #[case(Dialect::Postgres, "57P03", "", Cause::Unreachable)]
    #[case(Dialect::Postgres, "25006", "", Cause::Unreachable)]
    #[case(Dialect::Postgres, "42601", "", Cause::Other)]
    #[case(Dialect::Postgres, "", "", Cause::Other)]
    #[case(Dialect::Mysql, "1062", "", Cause::Duplicate)]
    #[case(Dialect::Mysql, "1045", "", Cause::Denied)]
    #[case(Dialect::Mysql, "1049", "", Cause::UnknownDatabase)]
    #[case(Dialect::Mysql, "1146", "", Cause::Missing)]
    #[case(Dialect::Mysql, "1213", "", Cause::Conflict)]
    #[case(Dialect::Mysql, "1040", "", Cause::Unreachable)]
    #[case(Dialect::Mysql, "1053", "", Cause::Unreachable)]
    #[case(Dialect::Mysql, "1047", "", Cause::Unreachable)]
    #[case(Dialect::Mysql, "1064", "", Cause::Other)]
    #[case(Dialect::Sqlite, "2067", "", Cause::Duplicate)]
    #[case(Dialect::Sqlite, "5", "database is locked", Cause::Conflict)]
    #[case(Dialect::Sqlite, "517", "database is locked", Cause::Conflict)]
    #[case(Dialect::Sqlite, "14", "unable to open database file", Cause::File)]
    #[case(Dialect::Sqlite, "1", "no such table: services", Cause::Missing)]
    #[case(Dialect::Sqlite, "1", "near \"x\": syntax error", Cause::Other)]
    fn a_code_has_a_cause(
        #[case] dialect: Dialect,
        #[case] code: &str,
        #[case] message: &str,
        #[case] cause: Cause,
    ) {
        assert_eq!(of_code(dialect, code, message), cause);
    }

    #[rstest]
    #[case(ErrorKind::ConnectionRefused, Cause::Unreachable)]
    #[case(ErrorKind::ConnectionReset, Cause::Unreachable)]
    #[case(ErrorKind::UnexpectedEof, Cause::Unreachable)]
    #[case(ErrorKind::TimedOut, Cause::Unreachable)]
    #[case(ErrorKind::Other, Cause::Unreachable)]
    #[case(ErrorKind::InvalidData, Cause::Tls)]
    #[case(ErrorKind::PermissionDenied, Cause::File)]
    fn an_input_or_output_error_has_a_cause(#[case] kind: ErrorKind, #[case] cause: Cause) {
        let error = sqlx::Error::Io(io::Error::from(kind));
        assert_eq!(of(Dialect::Postgres, &error), cause);
    }
}
