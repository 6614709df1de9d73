//! What the mounted files ask for: read whole, checked whole, or refused whole.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::{fs, io};

use kilonova_config::api::{METADATA, OSAPI_COMPUTE};
use kilonova_config::status::SourceStatus;
use kilonova_config::{Api, Config, Database, Loaded};

use super::database::{self, DatabaseError, Named};
use super::sources;
use super::tls::{self, Served, TlsError};
use crate::cgroup;
use crate::message::Settings;

/// Where the configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file, or a directory with a cold and a hot document.
    Path(PathBuf),
    /// Nowhere: both APIs on the loopback address.
    Embedded,
}

/// Everything the server is to do, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The settings.
    pub config: Config,
    /// Settings this release does not know.
    pub ignored: Vec<String>,
    /// The files ask for something that needs another pod.
    pub needs_restart: bool,
    /// One for each entry of `config.apis`.
    pub services: Vec<ServicePlan>,
    /// Where service records are kept.
    pub database: Option<Named>,
    /// What was read, and a name for all of it.
    pub sources: Vec<SourceStatus>,
    /// See [`kilonova_config::revision`].
    pub revision: String,
}

impl Plan {
    fn of(
        mut config: Config,
        documents: &[(String, String)],
        mut ignored: Vec<String>,
        needs_restart: bool,
    ) -> Result<Self, PlanError> {
        for api in &mut config.apis {
            api.workers.get_or_insert_with(cgroup::default_workers);
        }
        if let Some(path) = &config.reports.trigger_file {
            fs::metadata(path).map_err(|source| PlanError::Trigger {
                path: path.clone(),
                source,
            })?;
        }
        let services = config.apis.iter().map(|api| service(&config, api));
        let services = services.collect::<Result<Vec<_>, _>>()?;
        let database = match &config.database {
            Some(wanted) => database::read(wanted)?,
            None => None,
        };
        if let Some(named) = &database {
            let parameter = |name| format!("database.connectionFile: {name}");
            ignored.extend(named.url.ignored().iter().map(parameter));
        }
        let nonce = sources::nonce(config.nonce.as_deref());
        let (sources, revision) = sources::of(nonce, documents, &services, database.as_ref());
        Ok(Self {
            config,
            ignored,
            needs_restart,
            services,
            database,
            sources,
            revision,
        })
    }

    /// What an API is to be served with.
    pub fn service(&self, name: &str) -> Option<&ServicePlan> {
        self.services
            .iter()
            .find(|service| service.api.name == name)
    }
}

/// What one API is to be served with.
#[derive(Clone, Debug, PartialEq)]
pub struct ServicePlan {
    /// Its entry of the configuration.
    pub api: Api,
    /// What its workers are told.
    pub settings: Settings,
    /// What is to be said of its certificate and of what it asks of clients.
    pub served: Option<Served>,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The configuration itself.
    #[error("configuration: {0}")]
    Config(#[from] kilonova_config::Error),
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The file whose change asks for a report.
    #[error("reports.triggerFile {}: {source}: create the file, or leave the setting out", path.display())]
    Trigger {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An API's TLS.
    #[error("{api}: {source}")]
    Tls {
        /// The API.
        api: String,
        /// Where it was to listen.
        address: SocketAddr,
        /// What is wrong with which file.
        source: Box<TlsError>,
    },
}

impl PlanError {
    /// What nova.wsgi.Server logs before the reason.
    pub fn preface(&self) -> Option<String> {
        let Self::Tls { api, address, .. } = self else {
            return None;
        };
        Some(format!(
            "Failed to start {api} on {address} with SSL support"
        ))
    }
}

impl Source {
    /// Reads and checks everything, for a server that starts.
    pub fn plan(&self) -> Result<Plan, PlanError> {
        let loaded = self.load()?;
        Plan::of(loaded.config, &loaded.documents, loaded.ignored, false)
    }

    /// Reads and checks everything, for a server that runs with `running`: what it cannot change while it runs stays.
    pub fn plan_for(&self, running: &Config) -> Result<Plan, PlanError> {
        let Loaded {
            config,
            ignored,
            documents,
        } = self.load()?;
        let effective = kilonova_config::with_hot_of(running, &config)?;
        let needs_restart =
            kilonova_config::split(&config)?.cold != kilonova_config::split(&effective)?.cold;
        Plan::of(effective, &documents, ignored, needs_restart)
    }

    fn load(&self) -> Result<Loaded, PlanError> {
        Ok(match self {
            Self::Path(path) => kilonova_config::read(path)?,
            Self::Embedded => Loaded {
                config: embedded(),
                ignored: Vec::new(),
                documents: Vec::new(),
            },
        })
    }

    /// The files whose change may change the plan.
    pub fn files(&self, config: &Config) -> Vec<PathBuf> {
        let mut files = match self {
            Self::Path(path) if path.is_dir() => vec![
                path.join(kilonova_config::COLD_FILE),
                path.join(kilonova_config::HOT_FILE),
            ],
            Self::Path(path) => vec![path.clone()],
            Self::Embedded => Vec::new(),
        };
        files.extend(
            config
                .database
                .as_ref()
                .and_then(|database| database.connection_file.clone()),
        );
        let tls = config.apis.iter().filter_map(|api| api.tls.as_ref());
        files.extend(tls.flat_map(tls::files));
        files
    }
}

/// The database of `serve` without `--config`, in the working directory.
const SQLITE_FILE: &str = "kilonova.sqlite";

/// `serve` without `--config`.
fn embedded() -> Config {
    let loopback = |name| Api {
        listen: std::net::Ipv4Addr::LOCALHOST.into(),
        ..Api::named(name)
    };
    let mut config = Config {
        apis: vec![loopback(OSAPI_COMPUTE), loopback(METADATA)],
        database: Some(Database {
            sqlite_file: Some(SQLITE_FILE.into()),
            ..Database::default()
        }),
        ..Config::default()
    };
    config.admin.loopback = true;
    config
}

fn service(config: &Config, api: &Api) -> Result<ServicePlan, PlanError> {
    let served = api.tls.as_ref().map(tls::load).transpose();
    let (material, served) = served
        .map_err(|source| PlanError::Tls {
            api: api.name.clone(),
            address: SocketAddr::new(api.listen, api.listen_port()),
            source: Box::new(source),
        })?
        .unzip();
    Ok(ServicePlan {
        api: api.clone(),
        settings: Settings {
            http: api.http.clone(),
            logging: config.logging.clone(),
            tls: material,
        },
        served,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_default_is_both_apis_on_loopback() {
        let plan = Source::Embedded.plan().unwrap();
        let names: Vec<_> = plan
            .services
            .iter()
            .map(|service| service.api.name.as_str())
            .collect();
        assert_eq!(names, ["osapi_compute", "metadata"]);
        assert!(plan.config.apis.iter().all(|api| api.listen.is_loopback()));
        assert!(plan.config.admin.loopback);
    }
}
