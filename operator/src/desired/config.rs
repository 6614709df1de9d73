//! The server's settings: one immutable `ConfigMap` named by its hash, one that may change under running pods.

use std::path::PathBuf;

use k8s_openapi::api::core::v1::ConfigMap;
use kilonova_config::{COLD_FILE, Config, HOT_FILE};

use super::{Part, pod, workers};
use crate::Error;
use crate::api::{Api, Resources};
use crate::hash;

/// The cold and the live `ConfigMap`.
pub(super) fn config_maps(part: &Part<'_>) -> Result<(ConfigMap, ConfigMap), Error> {
    let documents = kilonova_config::split(&config(part))?;
    let cold = format!("{}-{}", part.name(), hash::short(documents.cold.as_bytes()));
    let live = format!("{cold}-live");
    let map = |name, file: &str, text, immutable| ConfigMap {
        metadata: part.metadata(name),
        data: Some([(file.to_owned(), text)].into()),
        immutable,
        ..ConfigMap::default()
    };
    Ok((
        map(cold, COLD_FILE, documents.cold, Some(true)),
        map(live, HOT_FILE, documents.hot, None),
    ))
}

/// What the server is told.
pub(super) fn config(part: &Part<'_>) -> Config {
    let spec = &part.service.spec;
    Config {
        apis: part
            .apis
            .iter()
            .map(|one| api(one, part.resources))
            .collect(),
        graceful_shutdown_timeout_seconds: unsigned(spec.graceful_shutdown_timeout_seconds),
        logging: spec
            .logging
            .as_ref()
            .map_or_else(Default::default, |logging| kilonova_config::Logging {
                level: logging.level,
                format: logging.format,
                ..kilonova_config::Logging::default()
            }),
        ..Config::default()
    }
}

fn api(asked: &Api, resources: Option<&Resources>) -> kilonova_config::Api {
    let default = kilonova_config::Api::named(asked.name.as_str());
    kilonova_config::Api {
        listen: asked
            .listen
            .as_ref()
            .and_then(|listen| listen.parse().ok())
            .unwrap_or(default.listen),
        port: u16::try_from(asked.listen_port()).ok(),
        workers: Some(unsigned(workers::workers(asked, resources))),
        tls: asked.tls.as_ref().map(|tls| kilonova_config::Tls {
            certificate_directory: PathBuf::from(pod::certificate_directory(asked.name)),
            client_auth: tls
                .client_auth
                .as_ref()
                .map(|client| kilonova_config::ClientAuth {
                    mode: client.mode,
                    ca_file: PathBuf::from(pod::client_ca_directory(asked.name))
                        .join(&client.ca_key),
                    crl_file: None,
                }),
            min_version: kilonova_config::TlsVersion::default(),
        }),
        http: asked
            .http
            .as_ref()
            .map_or_else(kilonova_config::Http::default, |http| {
                kilonova_config::Http {
                    keep_alive: http.keep_alive,
                    client_socket_timeout_seconds: unsigned(http.client_socket_timeout_seconds),
                    ..kilonova_config::Http::default()
                }
            }),
        ..kilonova_config::Api::named(asked.name.as_str())
    }
}

/// The API server lets nothing negative in.
fn unsigned(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}
