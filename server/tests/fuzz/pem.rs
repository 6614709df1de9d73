//! Certificates, keys and authorities.

use std::fmt::Write;
use std::sync::LazyLock;

use kilonova_config::TlsVersion;
use kilonova_probe::{Authority, Issued};
use kilonova_server::material::{ClientMaterial, TlsMaterial};
use kilonova_tls::{Authorities, Pair, RevocationLists, TicketSeed};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::bytes::edited;
use crate::cases;

static AUTHORITY: LazyLock<Authority> = LazyLock::new(Authority::new);
static ISSUED: LazyLock<Issued> = LazyLock::new(|| Issued::valid(&AUTHORITY));

const WORDS: &[&str] = &[
    "-----BEGIN CERTIFICATE-----\n",
    "-----END CERTIFICATE-----\n",
    "-----BEGIN PRIVATE KEY-----\n",
    "-----BEGIN RSA PRIVATE KEY-----\n",
    "-----BEGIN EC PRIVATE KEY-----\n",
    "-----BEGIN X509 CRL-----\n",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
    "-----END PRIVATE KEY-----\n",
    "Proc-Type: 4,ENCRYPTED\n",
    "-----",
    "\n",
    "\r\n",
    "=",
    "AAAA",
    "\0",
];

/// Right ones of every kind, alone and together.
fn texts() -> Vec<Vec<u8>> {
    let authority = AUTHORITY.pem();
    let chain = format!("{}{authority}", ISSUED.certificate);
    let all = format!("{}{chain}", ISSUED.key);
    let revoked = AUTHORITY.revoke(&[&ISSUED], (2020, 2090));
    let with_list = format!("{authority}{revoked}");
    let texts = [
        with_list,
        authority,
        chain,
        all,
        ISSUED.key.clone(),
        String::new(),
    ];
    texts.map(String::into_bytes).to_vec()
}

/// Reads both as a server would, and goes as far with them as it would.
fn serve(certificate: &[u8], key: &[u8], authorities: &[u8]) -> Result<(), TestCaseError> {
    match Pair::parse(certificate, key) {
        Ok(pair) => prop_assert_eq!(pair.facts().fingerprint.len(), 64),
        Err(error) => prop_assert!(!error.reason().is_empty()),
    }
    if let Ok(known) = Authorities::parse(authorities) {
        let _ = RevocationLists::parse(authorities, &known);
    }
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let material = TlsMaterial {
        certificate: text(certificate),
        key: text(key),
        clients: Some(ClientMaterial {
            authorities: text(authorities),
            revoked: None,
            required: true,
        }),
        min_version: TlsVersion::Tls12,
    };
    if let Ok(parts) = material.parts() {
        let seed = TicketSeed::random(0);
        prop_assert!(
            parts
                .server_config(&seed.map_err(|error| TestCaseError::fail(error.to_string()))?)
                .is_ok()
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(60_000))]

    #[test]
    fn files_that_are_nearly_right(
        certificate in edited(texts(), WORDS), key in edited(texts(), WORDS), authorities in edited(texts(), WORDS)
    ) {
        serve(&certificate, &key, &authorities)?;
        serve(&certificate, ISSUED.key.as_bytes(), &authorities)?;
        serve(ISSUED.certificate.as_bytes(), &key, &authorities)?;
    }

    #[test]
    fn certificates_that_are_damaged_inside(changes in vec((any::<Index>(), any::<u8>()), 1..4), cut in option_of_index()) {
        let mut der = ISSUED.der();
        for (at, byte) in changes {
            let at = at.index(der.len());
            der[at] = byte;
        }
        if let Some(cut) = cut {
            der.truncate(cut.index(der.len()));
        }
        let damaged = pem("CERTIFICATE", &der);
        serve(damaged.as_bytes(), ISSUED.key.as_bytes(), damaged.as_bytes())?;
    }
}

fn option_of_index() -> impl Strategy<Value = Option<Index>> {
    prop_oneof![4 => Just(None), 1 => any::<Index>().prop_map(Some)]
}

fn pem(label: &str, der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in der.chunks(48) {
        for three in line.chunks(3) {
            let bits = three.iter().chain([0; 2].iter()).take(3);
            let bits = bits.fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
            let letters = (0..4).map(|place| char::from(ALPHABET[bits >> (18 - 6 * place) & 63]));
            let letters: String = letters.take(three.len() + 1).collect();
            let _ = write!(text, "{letters:=<4}");
        }
        text.push('\n');
    }
    text + "-----END " + label + "-----\n"
}
