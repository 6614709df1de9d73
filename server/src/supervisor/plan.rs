//! What the mounted files ask for: read whole, checked whole, or refused whole.

use std::path::{Path, PathBuf};
use std::{fs, io};

use kilonova_config::api::{METADATA, OSAPI_COMPUTE};
use kilonova_config::{Api, CERTIFICATE_FILE, ClientAuthMode, Config, KEY_FILE, Loaded, Tls};
use kilonova_tls::{
    Authorities, AuthoritiesError, ClientAuth, Facts, Pair, PairError, ServerConfigError,
    server_config,
};

use crate::message::{Settings, TlsMaterial};

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
}

impl Plan {
    fn of(config: Config, ignored: Vec<String>, needs_restart: bool) -> Result<Self, PlanError> {
        let services = config.apis.iter().map(|api| service(&config, api));
        let services = services.collect::<Result<_, _>>()?;
        Ok(Self {
            config,
            ignored,
            needs_restart,
            services,
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
    /// Its certificate.
    pub facts: Option<Facts>,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The configuration itself.
    #[error("configuration: {0}")]
    Config(#[from] kilonova_config::Error),
    /// A file of an API's TLS.
    #[error("{api}: {setting}: cannot read {}: {source}", path.display())]
    Read {
        /// The API.
        api: String,
        /// The setting that names the file.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A certificate and its key.
    #[error("{api}: tls.certificateDirectory {}: {source}", directory.display())]
    Pair {
        /// The API.
        api: String,
        /// Where the two lie.
        directory: PathBuf,
        /// What is wrong with them.
        source: PairError,
    },
    /// The clients' authorities.
    #[error("{api}: tls.clientAuth.caFile {}: {source}", path.display())]
    Authorities {
        /// The API.
        api: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: AuthoritiesError,
    },
    /// The crypto library refuses what we accept.
    #[error("{api}: {source}")]
    Tls {
        /// The API.
        api: String,
        /// What it said.
        source: ServerConfigError,
    },
}

impl Source {
    /// Reads and checks everything, for a server that starts.
    pub fn plan(&self) -> Result<Plan, PlanError> {
        let Loaded { config, ignored } = self.load()?;
        Plan::of(config, ignored, false)
    }

    /// Reads and checks everything, for a server that runs with `running`: what it cannot change while it runs stays.
    pub fn plan_for(&self, running: &Config) -> Result<Plan, PlanError> {
        let Loaded { config, ignored } = self.load()?;
        let effective = kilonova_config::with_hot_of(running, &config)?;
        let needs_restart =
            kilonova_config::split(&config)?.cold != kilonova_config::split(&effective)?.cold;
        Plan::of(effective, ignored, needs_restart)
    }

    fn load(&self) -> Result<Loaded, PlanError> {
        Ok(match self {
            Self::Path(path) => kilonova_config::read(path)?,
            Self::Embedded => Loaded {
                config: embedded(),
                ignored: Vec::new(),
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
        for tls in config.apis.iter().filter_map(|api| api.tls.as_ref()) {
            files.push(tls.certificate_directory.join(CERTIFICATE_FILE));
            files.push(tls.certificate_directory.join(KEY_FILE));
            files.extend(
                tls.client_auth
                    .as_ref()
                    .map(|clients| clients.ca_file.clone()),
            );
        }
        files
    }
}

/// `serve` without `--config`.
fn embedded() -> Config {
    let loopback = |name| Api {
        listen: std::net::Ipv4Addr::LOCALHOST.into(),
        ..Api::named(name)
    };
    let mut config = Config {
        apis: vec![loopback(OSAPI_COMPUTE), loopback(METADATA)],
        ..Config::default()
    };
    config.admin.loopback = true;
    config
}

fn service(config: &Config, api: &Api) -> Result<ServicePlan, PlanError> {
    let (tls, facts) = match &api.tls {
        None => (None, None),
        Some(tls) => {
            let (material, facts) = material(&api.name, tls)?;
            (Some(material), Some(facts))
        }
    };
    Ok(ServicePlan {
        api: api.clone(),
        settings: Settings {
            http: api.http.clone(),
            logging: config.logging.clone(),
            tls,
        },
        facts,
    })
}

/// Reads an API's TLS files, and tries what its workers will do with them.
fn material(api: &str, tls: &Tls) -> Result<(TlsMaterial, Facts), PlanError> {
    let read = |setting, path: PathBuf| match fs::read_to_string(&path) {
        Ok(text) => Ok(text),
        Err(source) => Err(PlanError::Read {
            api: api.to_owned(),
            setting,
            path,
            source,
        }),
    };
    let directory: &Path = &tls.certificate_directory;
    let certificate = read("tls.certificateDirectory", directory.join(CERTIFICATE_FILE))?;
    let key = read("tls.certificateDirectory", directory.join(KEY_FILE))?;
    let pair =
        Pair::parse(certificate.as_bytes(), key.as_bytes()).map_err(|source| PlanError::Pair {
            api: api.to_owned(),
            directory: directory.to_owned(),
            source,
        })?;
    let mut clients = None;
    let mut client_auth = None;
    if let Some(wanted) = &tls.client_auth {
        let bundle = read("tls.clientAuth.caFile", wanted.ca_file.clone())?;
        let authorities =
            Authorities::parse(bundle.as_bytes()).map_err(|source| PlanError::Authorities {
                api: api.to_owned(),
                path: wanted.ca_file.clone(),
                source,
            })?;
        let required = wanted.mode == ClientAuthMode::Required;
        client_auth = Some(ClientAuth {
            authorities,
            required,
        });
        clients = Some((bundle, required));
    }
    server_config(&pair, client_auth.as_ref()).map_err(|source| PlanError::Tls {
        api: api.to_owned(),
        source,
    })?;
    let material = TlsMaterial {
        certificate,
        key,
        clients,
    };
    Ok((material, pair.facts().clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(directory: &Path) -> Result<Plan, String> {
        let config = directory.join("kilonova.yaml");
        let certificates = directory.display();
        let yaml =
            format!("apis: [{{name: metadata, tls: {{certificateDirectory: '{certificates}'}}}}]");
        fs::write(&config, yaml).unwrap();
        Source::Path(config)
            .plan()
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_pair_on_disk_becomes_material_and_facts() {
        let directory = tempfile::tempdir().unwrap();
        let issued = rcgen::generate_simple_self_signed(vec!["nova.test".to_owned()]).unwrap();
        fs::write(directory.path().join("tls.crt"), issued.cert.pem()).unwrap();
        fs::write(
            directory.path().join("tls.key"),
            issued.signing_key.serialize_pem(),
        )
        .unwrap();
        let plan = plan(directory.path()).unwrap();
        assert_eq!(
            plan.services[0].facts.as_ref().unwrap().dns_names,
            ["nova.test"]
        );
        assert_eq!(
            format!("{:?}", plan.services[0].settings.tls),
            "Some(TlsMaterial(***))"
        );
    }

    #[test]
    fn errors_name_api_setting_and_file() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().display();
        assert_eq!(
            plan(directory.path()).unwrap_err(),
            format!(
                "metadata: tls.certificateDirectory: cannot read {at}/tls.crt: No such file or directory (os error 2)"
            )
        );
        fs::write(directory.path().join("tls.crt"), "junk").unwrap();
        fs::write(directory.path().join("tls.key"), "junk").unwrap();
        let error = plan(directory.path()).unwrap_err();
        assert!(
            error.starts_with(&format!(
                "metadata: tls.certificateDirectory {at}: tls.crt holds no certificate"
            )),
            "{error}"
        );
    }

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
