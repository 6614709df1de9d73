//! The server's settings: one immutable `ConfigMap` named by its hash, one that may change under running pods.

use std::path::PathBuf;

use k8s_openapi::api::core::v1::ConfigMap;
use kilonova_config::{COLD_FILE, Config, HOT_FILE};

use super::{Part, mounts, workers};
use crate::Error;
use crate::api::{Api, ClientAuth, Database, Http, ProxyProtocol, Resources};
use crate::hash;
use crate::verdict::Problem;

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

/// What the server would refuse, and no rule of the schema can tell.
pub(super) fn problems(part: &Part<'_>) -> Vec<Problem> {
    let problems = config(part).problems();
    let told = problems.into_iter().map(|problem| {
        // The server's list has the APIs of its pod alone.
        let field = part.apis.iter().enumerate().fold(
            format!("spec.{}", problem.field),
            |field, (index, api)| {
                field.replace(
                    &format!("spec.apis[{index}]"),
                    &format!("spec.apis[{}]", api.name),
                )
            },
        );
        Problem::blocking("SettingsInvalid", format!("{field}: {}", problem.message))
    });
    told.collect()
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
        drain_delay_seconds: unsigned(spec.drain_delay_seconds),
        logging: spec
            .logging
            .as_ref()
            .map_or_else(Default::default, |logging| kilonova_config::Logging {
                level: logging.level,
                format: logging.format,
                levels: logging.levels.clone(),
            }),
        database: Some(database(spec.database.as_ref())),
        ..Config::default()
    }
}

/// Without a database the pod has one of its own, that ends with it.
fn database(asked: Option<&Database>) -> kilonova_config::Database {
    let default = kilonova_config::Database::default();
    match asked {
        Some(asked) => kilonova_config::Database {
            connection_file: Some(PathBuf::from(mounts::DATABASE_DIRECTORY).join(&asked.key)),
            max_connections_per_pod: unsigned(asked.max_connections_per_pod),
            ..default
        },
        None => kilonova_config::Database {
            sqlite_file: Some(PathBuf::from(mounts::SQLITE_FILE)),
            ..default
        },
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
            certificate_directory: PathBuf::from(mounts::certificate_directory(asked.name)),
            client_auth: tls
                .client_auth
                .as_ref()
                .map(|client| client_auth(asked, client)),
            min_version: tls.min_version,
        }),
        http: asked.http.as_ref().map_or_else(Default::default, http),
        ..default
    }
}

fn client_auth(asked: &Api, client: &ClientAuth) -> kilonova_config::ClientAuth {
    let directory = PathBuf::from(mounts::client_ca_directory(asked.name));
    kilonova_config::ClientAuth {
        mode: client.mode,
        ca_file: directory.join(&client.ca_key),
        crl_file: client.crl_key.as_ref().map(|key| directory.join(key)),
    }
}

fn http(asked: &Http) -> kilonova_config::Http {
    kilonova_config::Http {
        keep_alive: asked.keep_alive,
        client_socket_timeout_seconds: unsigned(asked.client_socket_timeout_seconds),
        header_timeout_seconds: unsigned(asked.header_timeout_seconds),
        tls_handshake_timeout_seconds: unsigned(asked.tls_handshake_timeout_seconds),
        max_concurrent_streams: unsigned(asked.max_concurrent_streams),
        max_connection_age_seconds: unsigned(asked.max_connection_age_seconds),
        tcp_keep_idle_seconds: unsigned(asked.tcp_keep_idle_seconds),
        max_header_line_bytes: unsigned(asked.max_header_line_bytes),
        max_url_bytes: unsigned(asked.max_url_bytes),
        max_body_bytes: unsigned(asked.max_body_bytes),
        backlog: unsigned(asked.backlog),
        max_connections_per_worker: unsigned(asked.max_connections_per_worker),
        // The API server lets nothing but networks in.
        trusted_proxies: asked
            .trusted_proxies
            .iter()
            .filter_map(|network| network.parse().ok())
            .collect(),
        proxy_protocol: match asked.proxy_protocol {
            ProxyProtocol::Disabled => kilonova_config::ProxyProtocol::Off,
            ProxyProtocol::V1V2 => kilonova_config::ProxyProtocol::V1V2,
        },
        access_log: asked
            .access_log
            .as_ref()
            .map_or_else(Default::default, |log| kilonova_config::AccessLog {
                format: log.format.clone(),
            }),
    }
}

/// The API server lets nothing negative in.
fn unsigned(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}
