//! Who clients are, and which authorities may say so.

use kilonova_config::ClientAuthMode;
use kilonova_probe::{Authority, Issued, TlsConnection, wait_for};
use rcgen::{DnType, SanType};

use super::{mutual, serve};
use crate::server::{Server, write};

fn answered(server: &Server, client: rustls::ClientConfig) -> bool {
    TlsConnection::handshake(server.address(), client)
        .and_then(|mut connection| connection.get("/"))
        .is_ok_and(|answer| answer.status == 200)
}

fn replace_bundle(server: &Server, bundle: &str) {
    let before = server.log().matches("taken over").count();
    write(server.path(), "ca.crt", bundle);
    wait_for("the bundle to be taken over", || {
        (server.log().matches("taken over").count() > before).then_some(())
    });
}

#[test]
fn an_authority_is_replaced_with_an_overlap() {
    let (old, new) = (Authority::named("old"), Authority::named("new"));
    let server = serve(&old, &Issued::valid(&old), &mutual("Required"));
    let (of_old, of_new) = (Issued::valid(&old), Issued::valid(&new));
    let let_in = || {
        [
            answered(&server, old.client(Some(&of_old))),
            answered(&server, old.client(Some(&of_new))),
        ]
    };
    assert_eq!(let_in(), [true, false]);
    let mut kept = TlsConnection::handshake(server.address(), old.client(Some(&of_old))).unwrap();
    replace_bundle(&server, &(old.pem() + &new.pem()));
    assert_eq!(let_in(), [true, true]);
    replace_bundle(&server, &new.pem());
    assert_eq!(let_in(), [false, true]);
    assert_eq!(kept.get("/").unwrap().status, 200);
}

#[test]
fn an_authority_that_keeps_its_name_is_replaced_with_an_overlap_too() {
    let (old, new) = (Authority::new(), Authority::new());
    let server = serve(&old, &Issued::valid(&old), &mutual("Required"));
    let (of_old, of_new) = (Issued::valid(&old), Issued::valid(&new));
    replace_bundle(&server, &(old.pem() + &new.pem()));
    assert!(answered(&server, old.client(Some(&of_old))));
    assert!(answered(&server, old.client(Some(&of_new))));
}

#[test]
fn the_mode_is_taken_over_while_running() {
    let authority = Authority::new();
    let server = serve(&authority, &Issued::valid(&authority), &mutual("Optional"));
    let mode = || server.api().tls.unwrap().client_auth.unwrap().mode;
    assert_eq!(mode(), ClientAuthMode::Optional);
    assert!(answered(&server, authority.client(None)));
    server.configure(&mutual("Required"));
    server.wait_log("taken over");
    assert_eq!(mode(), ClientAuthMode::Required);
    assert!(!answered(&server, authority.client(None)));
    let client = Issued::valid(&authority);
    assert!(answered(&server, authority.client(Some(&client))));
}

#[test]
fn a_client_is_called_by_its_certificate_s_most_telling_name() {
    let authority = Authority::new();
    let configuration = mutual("Optional").replace("{apis:", "{logging: {level: DEBUG}, apis:");
    let server = serve(&authority, &Issued::valid(&authority), &configuration);
    let named = |change: fn(&mut rcgen::CertificateParams)| {
        let client = authority.issue_with(&[], change);
        assert!(answered(&server, authority.client(Some(&client))));
    };
    named(|wanted| {
        let id = SanType::URI("spiffe://nova.test/conductor".try_into().unwrap());
        wanted.subject_alt_names = vec![id];
    });
    server.wait_log("TLS handshake done: client spiffe://nova.test/conductor");
    named(|wanted| {
        let name = SanType::DnsName("conductor.nova.test".try_into().unwrap());
        wanted.subject_alt_names = vec![name];
    });
    server.wait_log("TLS handshake done: client conductor.nova.test");
    named(|wanted| {
        wanted
            .distinguished_name
            .push(DnType::CommonName, "conductor");
    });
    server.wait_log("TLS handshake done: client CN=conductor");
    assert!(answered(&server, authority.client(None)));
    server.wait_log("TLS handshake done: client unknown");
}

#[test]
fn an_intermediate_leads_to_its_root() {
    let root = Authority::named("root");
    let server = serve(&root, &Issued::valid(&root), &mutual("Required"));
    let below = root.intermediate("below").intermediate("further below");
    let client = Issued::valid(&below);
    assert!(answered(&server, root.client(Some(&client))));
    // Without what stands between, nobody knows who signed it.
    let alone = Issued {
        certificate: client
            .certificate
            .split_inclusive("-----END CERTIFICATE-----\n")
            .next()
            .unwrap()
            .to_owned(),
        ..client
    };
    assert!(!answered(&server, root.client(Some(&alone))));
}
