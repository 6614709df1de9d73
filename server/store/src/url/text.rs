//! Taking a URL apart, as `sqlalchemy.engine.url._parse_url` does.

use percent_encoding::percent_decode_str;

use super::parameters::Parameters;
use super::{Dialect, Url, UrlError};

/// The Python drivers SQLAlchemy has for each database: they change nothing here.
const MYSQL: &[&str] = &[
    "aiomysql",
    "asyncmy",
    "cymysql",
    "mariadbconnector",
    "mysqlconnector",
    "mysqldb",
    "pymysql",
];
const POSTGRES: &[&str] = &[
    "asyncpg",
    "pg8000",
    "psycopg",
    "psycopg2",
    "psycopg2cffi",
    "psycopg_async",
];
const SQLITE: &[&str] = &["aiosqlite", "pysqlite"];

pub(super) fn parse(url: &str) -> Result<Url, UrlError> {
    let (scheme, rest) = url.split_once("://").ok_or(UrlError::NoScheme)?;
    let dialect = dialect(scheme)?;
    if dialect == Dialect::Sqlite {
        return sqlite(scheme, rest);
    }
    let (user, rest) = split_user(rest);
    let (username, password) = match user {
        None => (None, None),
        Some(user) => credentials(user)?,
    };
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    if place.contains('@') {
        return Err(UrlError::At);
    }
    let (address, database) = place.split_once('/').unwrap_or((place, ""));
    let (host, port) = split_port(address)?;
    if database.is_empty() {
        return Err(UrlError::NoDatabase(scheme.to_owned()));
    }
    let parameters = Parameters::read(dialect, query)?;
    Ok(Url {
        scheme: scheme.to_owned(),
        dialect,
        username,
        password,
        host: parameters.host.or(host),
        port: parameters.port.or(port),
        database: database.to_owned(),
        socket: parameters.socket,
        tls: parameters.tls,
        timeout: parameters.timeout,
        application: parameters.application,
        ignored: parameters.ignored,
    })
}

fn dialect(scheme: &str) -> Result<Dialect, UrlError> {
    let plain = |character: char| character.is_ascii_alphanumeric() || "+-_.".contains(character);
    if scheme.is_empty() || !scheme.chars().all(plain) {
        return Err(UrlError::NoScheme);
    }
    let (name, driver) = scheme.split_once('+').unwrap_or((scheme, ""));
    let (dialect, drivers) = match name {
        "mysql" | "mariadb" => (Dialect::Mysql, MYSQL),
        "postgresql" | "postgres" => (Dialect::Postgres, POSTGRES),
        "sqlite" => (Dialect::Sqlite, SQLITE),
        _ => return Err(UrlError::Scheme(scheme.to_owned())),
    };
    if scheme.contains('+') && !drivers.contains(&driver) {
        return Err(UrlError::Driver {
            dialect: name.to_owned(),
            driver: driver.to_owned(),
        });
    }
    Ok(dialect)
}

/// `sqlite:///relative`, `sqlite:////absolute`.
fn sqlite(scheme: &str, rest: &str) -> Result<Url, UrlError> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    // SQLAlchemy refuses a host too: two slashes make the file's directory one.
    let path = match path.strip_prefix('/') {
        None if path.is_empty() => return Err(UrlError::Memory),
        None => return Err(UrlError::Slashes),
        Some(path) => path,
    };
    if path.is_empty() || path == ":memory:" || path.starts_with("file:") {
        return Err(UrlError::Memory);
    }
    let parameters = Parameters::read(Dialect::Sqlite, query)?;
    Ok(Url {
        scheme: scheme.to_owned(),
        dialect: Dialect::Sqlite,
        username: None,
        password: None,
        host: None,
        port: None,
        database: path.to_owned(),
        socket: None,
        tls: parameters.tls,
        timeout: parameters.timeout,
        application: None,
        ignored: parameters.ignored,
    })
}

/// What stands before the first `@`, if it can be a user and password: a user name holds no `/` (a password may).
fn split_user(rest: &str) -> (Option<&str>, &str) {
    match rest.split_once('@') {
        Some((user, after)) if !user.split(':').next().unwrap_or(user).contains('/') => {
            (Some(user), after)
        }
        _ => (None, rest),
    }
}

fn credentials(user: &str) -> Result<(Option<String>, Option<String>), UrlError> {
    let (username, password) = match user.split_once(':') {
        Some((username, password)) => (username, Some(password)),
        None => (user, None),
    };
    let username = decode(username, "user name")?;
    let password = password.map(|password| decode(password, "password"));
    Ok((
        (!username.is_empty()).then_some(username),
        password.transpose()?,
    ))
}

fn decode(text: &str, what: &'static str) -> Result<String, UrlError> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| UrlError::Encoding(what))
}

fn split_port(address: &str) -> Result<(Option<String>, Option<u16>), UrlError> {
    let (host, port) = if let Some(rest) = address.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or(UrlError::Host)?;
        host.parse::<std::net::Ipv6Addr>()
            .map_err(|_| UrlError::Host)?;
        match after.strip_prefix(':') {
            None if !after.is_empty() => return Err(UrlError::Host),
            port => (host, port),
        }
    } else {
        match address.split_once(':') {
            Some((_, port)) if port.contains(':') => return Err(UrlError::Host),
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        }
    };
    let port = port
        .filter(|port| !port.is_empty())
        .map(|port| match port.parse() {
            Ok(0) | Err(_) => Err(UrlError::Port),
            Ok(port) => Ok(port),
        });
    Ok((
        (!host.is_empty()).then(|| host.to_owned()),
        port.transpose()?,
    ))
}
