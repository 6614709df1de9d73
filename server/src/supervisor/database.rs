//! Which database the configuration names, and what is recorded there.

use std::path::PathBuf;
use std::{fs, io};

use kilonova_config::{Config, Database};
use kilonova_store::{Url, UrlError};

use super::records::Wanted;

/// A database as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its URL.
    pub url: Url,
    /// The content of the file that holds it, when there is one.
    pub text: Option<Secret>,
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The file cannot be read.
    #[error("database.connectionFile: cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What it holds is no URL we know.
    #[error("database.connectionFile {}: {source}", path.display())]
    Url {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: UrlError,
    },
    /// The path cannot be part of a URL.
    #[error("database.sqliteFile {}: {source}", path.display())]
    File {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        source: UrlError,
    },
}

/// Reads the URL.
pub fn read(database: &Database) -> Result<Option<Named>, DatabaseError> {
    if let Some(path) = &database.connection_file {
        let text = fs::read_to_string(path).map_err(|source| DatabaseError::Read {
            path: path.clone(),
            source,
        })?;
        let url = Url::parse(text.trim()).map_err(|source| DatabaseError::Url {
            path: path.clone(),
            source,
        })?;
        let text = Some(Secret(text));
        return Ok(Some(Named { url, text }));
    }
    let Some(path) = &database.sqlite_file else {
        return Ok(None);
    };
    match Url::parse(&format!("sqlite:///{}", path.display())) {
        Ok(url) => Ok(Some(Named { url, text: None })),
        Err(source) => Err(DatabaseError::File {
            path: path.clone(),
            source,
        }),
    }
}

/// What is recorded of the APIs that were started.
pub fn wanted<'a>(
    named: &Named,
    config: &Config,
    apis: impl Iterator<Item = &'a str>,
) -> Option<Wanted> {
    let database = config.database.as_ref()?;
    Some(Wanted {
        url: named.url.clone(),
        connections: database.max_connections_per_pod,
        host: host(config),
        binaries: apis.map(|api| format!("nova-{api}")).collect(),
        allow_older: database.allow_older_service,
    })
}

/// `[DEFAULT] host`, which is by default what the host calls itself: in a pod, the pod's name.
fn host(config: &Config) -> String {
    config.host.clone().unwrap_or_else(|| {
        let name = rustix::system::uname();
        name.nodename().to_string_lossy().into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Result<Option<Named>, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("connection");
        fs::write(&path, text).unwrap();
        let database = Database {
            connection_file: Some(path),
            ..Database::default()
        };
        read(&database).map_err(|error| {
            let folder = directory.path().display().to_string();
            error.to_string().replace(&folder, "…")
        })
    }

    #[test]
    fn a_url_is_read_as_nova_conf_has_it_and_never_shown() {
        let named = named("mysql+pymysql://nova:hunter2@db/nova\n")
            .unwrap()
            .unwrap();
        assert!(!format!("{named:?}").contains("hunter2"));
        let config = Config {
            host: Some("nova-0".to_owned()),
            database: Some(Database::default()),
            ..Config::default()
        };
        let wanted = wanted(&named, &config, ["osapi_compute", "metadata"].into_iter()).unwrap();
        assert_eq!(wanted.binaries, ["nova-osapi_compute", "nova-metadata"]);
        assert_eq!((wanted.host.as_str(), wanted.connections), ("nova-0", 20));
    }

    #[test]
    fn what_is_no_url_is_refused_by_the_name_of_its_setting() {
        let error = named("db.example").unwrap_err();
        assert!(
            error.starts_with(
                "database.connectionFile …/connection: the database URL does not begin"
            ),
            "{error}"
        );
    }

    #[test]
    fn a_file_alone_is_sqlite() {
        let database = Database {
            sqlite_file: Some("/var/lib/nova.sqlite".into()),
            ..Database::default()
        };
        let named = read(&database).unwrap().unwrap();
        assert_eq!(
            named.url,
            Url::parse("sqlite:////var/lib/nova.sqlite").unwrap()
        );
        assert_eq!(read(&Database::default()).unwrap(), None);
    }
}
