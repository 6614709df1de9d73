//! Key material: PEM texts on their way to the workers, and what supervisor and worker both make of them.

use std::fmt;
use std::sync::Arc;

use kilonova_config::TlsVersion;
use kilonova_tls::{
    Authorities, AuthoritiesError, ClientAuth, Pair, PairError, RevocationError, RevocationLists,
    ServerConfigError, SharedTickets, TicketSeed, TicketsError, Versions, server_config,
};
use serde::{Deserialize, Serialize};
use tokio_rustls::rustls::ServerConfig;

/// PEM texts, and the settings that go with them.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct TlsMaterial {
    /// The certificate chain.
    pub certificate: String,
    /// The private key.
    pub key: String,
    /// Present when clients are asked for a certificate.
    pub clients: Option<ClientMaterial>,
    /// The oldest version that is spoken.
    pub min_version: TlsVersion,
}

/// What clients' certificates are judged by.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct ClientMaterial {
    /// Who signs them.
    pub authorities: String,
    /// Which of them are revoked.
    pub revoked: Option<String>,
    /// Whether a client must have one.
    pub required: bool,
}

impl fmt::Debug for TlsMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsMaterial(***)")
    }
}

/// Why material cannot be used: one error for each of its parts.
#[derive(Debug, thiserror::Error)]
pub enum MaterialError {
    /// The certificate and its key.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// The clients' authorities.
    #[error(transparent)]
    Authorities(#[from] AuthoritiesError),
    /// The revocation lists.
    #[error(transparent)]
    Revocation(#[from] RevocationError),
    /// The crypto library refuses what we accept.
    #[error(transparent)]
    Library(#[from] ServerConfigError),
    /// There are no keys for tickets.
    #[error(transparent)]
    Tickets(#[from] TicketsError),
}

/// Material that was read.
pub struct Parts {
    /// The certificate and its key.
    pub pair: Pair,
    /// How clients are judged.
    pub clients: Option<ClientAuth>,
    versions: Versions,
}

impl TlsMaterial {
    /// Reads the texts.
    pub fn parts(&self) -> Result<Parts, MaterialError> {
        let pair = Pair::parse(self.certificate.as_bytes(), self.key.as_bytes())?;
        Ok(Parts {
            pair,
            clients: self
                .clients
                .as_ref()
                .map(ClientMaterial::read)
                .transpose()?,
            versions: match self.min_version {
                TlsVersion::Tls12 => Versions::From12,
                TlsVersion::Tls13 => Versions::Only13,
            },
        })
    }
}

impl ClientMaterial {
    fn read(&self) -> Result<ClientAuth, MaterialError> {
        let authorities = Authorities::parse(self.authorities.as_bytes())?;
        let revoked = self
            .revoked
            .as_ref()
            .map(|text| RevocationLists::parse(text.as_bytes(), &authorities))
            .transpose()?;
        Ok(ClientAuth {
            authorities,
            required: self.required,
            revoked,
        })
    }
}

impl Parts {
    /// What handshakes are made with.
    pub fn server_config(&self, seed: &TicketSeed) -> Result<ServerConfig, MaterialError> {
        let tickets = Arc::new(SharedTickets::new(seed.clone())?);
        let clients = self.clients.as_ref();
        Ok(server_config(&self.pair, clients, self.versions, tickets)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_never_stand_in_a_log() {
        let material = TlsMaterial {
            certificate: String::new(),
            key: "secret".to_owned(),
            clients: None,
            min_version: TlsVersion::Tls12,
        };
        let seed = TicketSeed::random(0).unwrap();
        let tickets = SharedTickets::new(seed.clone()).unwrap();
        assert_eq!(
            format!("{material:?} {seed:?} {tickets:?}"),
            "TlsMaterial(***) TicketSeed(***) SharedTickets(***)"
        );
    }
}
