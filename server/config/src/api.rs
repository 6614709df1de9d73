//! One API: where it listens, who serves it and how.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Http;

/// Name of the Compute API, as in nova's `enabled_apis`.
pub const OSAPI_COMPUTE: &str = "osapi_compute";
/// Name of the metadata API, as in nova's `enabled_apis`.
pub const METADATA: &str = "metadata";

/// One entry of nova's `enabled_apis`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Api {
    /// The app to load: `osapi_compute` or `metadata`. A name the server does not know is skipped with nova's warning
    /// as long as another API starts.
    pub name: String,
    /// `<name>_listen`. Default `0.0.0.0`; `::` serves both families.
    #[serde(default = "any_address")]
    pub listen: IpAddr,
    /// `<name>_listen_port`; 0 takes any free port. Default: 8774 for `osapi_compute`, 8775 for `metadata`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// `<name>_workers`: worker processes, at least 1. Default: the CPU limit of the server's control group, rounded
    /// up; 1 without a limit. Never the host's CPUs, as nova had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,
    /// Present for what nova listed in `enabled_ssl_apis`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// nova's `[wsgi]` group.
    #[serde(default)]
    pub http: Http,
}

impl Api {
    /// An API with every setting at its default.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            listen: any_address(),
            port: None,
            workers: None,
            tls: None,
            http: Http::default(),
        }
    }

    /// The port asked for, or the API's own default (0, any, for a name that has none).
    pub fn listen_port(&self) -> u16 {
        self.port.unwrap_or_else(|| default_port(&self.name))
    }

    /// The number of worker processes asked for; 1 where nobody asked.
    pub fn worker_count(&self) -> u32 {
        self.workers.unwrap_or(1)
    }
}

/// The port nova gives an API (`osapi_compute_listen_port`, `metadata_listen_port`); 0 for an unknown name.
pub fn default_port(name: &str) -> u16 {
    match name {
        OSAPI_COMPUTE => 8774,
        METADATA => 8775,
        _ => 0,
    }
}

/// TLS of one API.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// Directory with `tls.crt` and `tls.key` (`[wsgi] ssl_cert_file`, `ssl_key_file`): a mounted Secret.
    pub certificate_directory: PathBuf,
    /// Whether clients are asked for a certificate (`[wsgi] ssl_ca_file`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_auth: Option<ClientAuth>,
    /// The oldest version of TLS that is spoken. Default `1.2`.
    #[serde(default)]
    pub min_version: TlsVersion,
}

/// A version of TLS. Older ones than these are not spoken at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub enum TlsVersion {
    /// TLS 1.2.
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    Tls13,
}

/// Client certificates.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientAuth {
    /// What happens to a client without a certificate. nova knew only `Required`.
    #[serde(default)]
    pub mode: ClientAuthMode,
    /// PEM bundle of the authorities that sign the clients' certificates (`[wsgi] ssl_ca_file`).
    pub ca_file: PathBuf,
    /// PEM file of revocation lists, one or more. A client's own certificate is looked up in the newest list of the
    /// authority that signed it; without such a list the client is let in. A list that has expired still counts, a
    /// file that is missing or cannot be read refuses the start or the reload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crl_file: Option<PathBuf>,
}

/// What happens to a client that presents no certificate; a bad one is always refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub enum ClientAuthMode {
    /// The handshake fails.
    #[default]
    Required,
    /// The client is served without an identity.
    Optional,
}

fn any_address() -> IpAddr {
    IpAddr::V4(Ipv4Addr::UNSPECIFIED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_ports_are_nova_s() {
        for (name, port) in [(OSAPI_COMPUTE, 8774), (METADATA, 8775), ("ec2", 0)] {
            let api: Api = serde_yaml::from_str(&format!("name: {name}")).unwrap();
            assert_eq!(api, Api::named(name));
            assert_eq!(
                (api.listen.to_string(), api.listen_port()),
                ("0.0.0.0".to_owned(), port)
            );
            let asked: Api =
                serde_yaml::from_str(&format!("{{name: {name}, listen: '::1', port: 80}}"))
                    .unwrap();
            assert_eq!(
                (asked.listen.to_string(), asked.listen_port()),
                ("::1".to_owned(), 80)
            );
        }
    }
}
