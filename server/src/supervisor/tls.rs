//! An API's TLS files: read in nova's order, checked whole, each fault with a message that names setting and file.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use kilonova_config::status::{ClientAuthStatus, CrlStatus, TlsStatus};
use kilonova_config::{CERTIFICATE_FILE, ClientAuthMode, KEY_FILE, Tls, TlsVersion};
use kilonova_tls::{Facts, TicketSeed};
use rustix::process::geteuid;

use super::reminder::{Kind, Term};
use crate::material::{ClientMaterial, MaterialError, Parts, TlsMaterial};

const CERTIFICATES: &str = "tls.certificateDirectory";
const CA: &str = "tls.clientAuth.caFile";
const CRL: &str = "tls.clientAuth.crlFile";
/// A revocation list with four hundred thousand entries is smaller; a Secret holds less than a tenth of that.
const LARGEST: u64 = 16 * 1024 * 1024;

/// What is to be said of an API's TLS.
#[derive(Clone, Debug, PartialEq)]
pub struct Served {
    /// The certificate.
    pub facts: Facts,
    /// What is asked of clients.
    pub clients: Option<Clients>,
    /// What is odd, in words.
    pub warnings: Vec<String>,
    min_version: TlsVersion,
}

/// What is asked of clients.
#[derive(Clone, Debug, PartialEq)]
pub struct Clients {
    mode: ClientAuthMode,
    crl_file: PathBuf,
    /// The authority that expires first.
    pub authority: Option<Facts>,
    /// The revocation lists.
    pub crl: Option<CrlStatus>,
}

/// What is wrong with which file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// nova.wsgi.Server: `Unable to find cert_file : %s`, and the same for `ca_file` and `key_file`.
    #[error("{setting}: Unable to find {option} : {}", path.display())]
    Missing {
        /// The setting that names the file.
        setting: &'static str,
        /// What nova calls it.
        option: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// It is there, but no text can be read from it.
    #[error("{setting}: {} {fault}", path.display())]
    Unreadable {
        /// The setting that names the file.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        fault: String,
    },
    /// Its text is not what it should be.
    #[error("{setting} {}: {source}", path.display())]
    Unusable {
        /// The setting that names the file.
        setting: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What is wrong.
        source: MaterialError,
    },
}

/// The files whose change may change an API's TLS.
pub fn files(tls: &Tls) -> Vec<PathBuf> {
    let pair = [CERTIFICATE_FILE, KEY_FILE].map(|name| tls.certificate_directory.join(name));
    let clients = tls.client_auth.iter();
    let clients = clients.flat_map(|clients| {
        let ca = Some(clients.ca_file.clone());
        ca.into_iter().chain(clients.crl_file.clone())
    });
    pair.into_iter().chain(clients).collect()
}

/// Reads an API's TLS files, and tries what its workers will do with them.
pub fn load(tls: &Tls) -> Result<(TlsMaterial, Served), TlsError> {
    let directory = &tls.certificate_directory;
    let certificate = read(CERTIFICATES, "cert_file", &directory.join(CERTIFICATE_FILE))?;
    let clients = tls.client_auth.as_ref();
    let authorities = clients.map(|clients| read(CA, "ca_file", &clients.ca_file));
    let authorities = authorities.transpose()?;
    let key = read(CERTIFICATES, "key_file", &directory.join(KEY_FILE))?;
    let revoked = clients.and_then(|clients| clients.crl_file.as_ref());
    let revoked = revoked
        .map(|path| read(CRL, "crl_file", path))
        .transpose()?;
    let material = TlsMaterial {
        certificate,
        key,
        clients: clients
            .zip(authorities)
            .map(|(clients, authorities)| ClientMaterial {
                authorities,
                revoked,
                required: clients.mode == ClientAuthMode::Required,
            }),
        min_version: tls.min_version,
    };
    let parts = material
        .parts()
        .and_then(|parts| {
            let seed = TicketSeed::random(0)?;
            parts.server_config(&seed).map(|_| parts)
        })
        .map_err(|source| unusable(tls, source))?;
    let served = Served::of(tls, &parts);
    Ok((material, served))
}

impl Served {
    fn of(tls: &Tls, parts: &Parts) -> Self {
        let mut warnings = parts.pair.warnings().to_vec();
        let clients = tls.client_auth.as_ref().zip(parts.clients.as_ref());
        if let Some((_, clients)) = clients {
            warnings.extend_from_slice(clients.authorities.warnings());
            let revoked = clients.revoked.iter();
            warnings.extend(revoked.flat_map(|lists| lists.warnings().to_vec()));
        }
        Self {
            facts: parts.pair.facts().clone(),
            clients: clients.map(|(wanted, clients)| Clients {
                mode: wanted.mode,
                crl_file: wanted.crl_file.clone().unwrap_or_default(),
                authority: clients.authorities.earliest().cloned(),
                crl: clients.revoked.as_ref().map(|lists| CrlStatus {
                    next_update: lists.next_update(),
                    revoked: lists.revoked() as u64,
                }),
            }),
            warnings,
            min_version: tls.min_version,
        }
    }

    /// Everything of it that ends one day.
    pub fn terms(&self) -> Vec<Term> {
        let clients = self.clients.as_ref();
        let term = |kind, facts: &Facts, name: &str| Term {
            kind,
            name: name.to_owned(),
            from: facts.not_before,
            until: facts.not_after,
        };
        let certificate = term(Kind::Certificate, &self.facts, &self.facts.serial);
        let authority = clients.and_then(|clients| clients.authority.as_ref());
        let authority = authority.map(|facts| term(Kind::Authority, facts, &facts.subject));
        let list = clients.and_then(|clients| {
            Some(Term {
                kind: Kind::RevocationList,
                name: clients.crl_file.display().to_string(),
                from: i64::MIN,
                until: clients.crl.as_ref()?.next_update?,
            })
        });
        [Some(certificate), authority, list]
            .into_iter()
            .flatten()
            .collect()
    }

    /// As `/status` shows it.
    pub fn status(&self) -> TlsStatus {
        TlsStatus {
            serial: self.facts.serial.clone(),
            fingerprint: self.facts.fingerprint.clone(),
            not_before: self.facts.not_before,
            not_after: self.facts.not_after,
            min_version: self.min_version,
            client_auth: self.clients.as_ref().map(|clients| ClientAuthStatus {
                mode: clients.mode,
                ca_not_after: clients.authority.as_ref().map(|facts| facts.not_after),
                crl: clients.crl.clone(),
            }),
            warnings: self.warnings.clone(),
        }
    }
}

fn unusable(tls: &Tls, source: MaterialError) -> TlsError {
    let clients = tls.client_auth.as_ref();
    let (setting, path) = match &source {
        MaterialError::Authorities(_) => (CA, clients.map(|clients| &clients.ca_file)),
        MaterialError::Revocation(_) => {
            (CRL, clients.and_then(|clients| clients.crl_file.as_ref()))
        }
        MaterialError::Pair(_) | MaterialError::Library(_) | MaterialError::Tickets(_) => {
            (CERTIFICATES, None)
        }
    };
    TlsError::Unusable {
        setting,
        path: path.unwrap_or(&tls.certificate_directory).clone(),
        source,
    }
}

fn read(setting: &'static str, option: &'static str, path: &Path) -> Result<String, TlsError> {
    let unreadable = |fault: String| TlsError::Unreadable {
        setting,
        path: path.to_owned(),
        fault,
    };
    let failed = |error: &io::Error| match error.kind() {
        io::ErrorKind::NotFound => TlsError::Missing {
            setting,
            option,
            path: path.to_owned(),
        },
        io::ErrorKind::NotADirectory => unreadable(
            "cannot be there: what should be its directory is a file; name the directory"
                .to_owned(),
        ),
        io::ErrorKind::PermissionDenied => unreadable(format!(
            "cannot be read by user {}: {error}; let this user or its group read it",
            geteuid().as_raw()
        )),
        _ => unreadable(format!("cannot be read: {error}")),
    };
    // Before it is opened: a pipe would be waited for.
    if let Some(fault) = fs::metadata(path)
        .map_err(|error| failed(&error))
        .map(|file| odd(&file))?
    {
        return Err(unreadable(fault));
    }
    let bytes = fs::read(path).map_err(|error| failed(&error))?;
    String::from_utf8(bytes).map_err(|_| {
        unreadable("is not text: it must be PEM (openssl x509 -inform der converts DER)".to_owned())
    })
}

fn odd(file: &Metadata) -> Option<String> {
    if file.is_dir() {
        Some("is a directory: it must be a PEM file".to_owned())
    } else if !file.is_file() {
        Some("is not a file".to_owned())
    } else if file.len() > LARGEST {
        Some(format!(
            "is larger than {} MiB: it must be a PEM file",
            LARGEST >> 20
        ))
    } else {
        None
    }
}
