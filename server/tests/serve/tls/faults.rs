//! Every fault of a TLS file has a message of its own: it ends a start, and changes nothing for a server that runs.

use std::fs;
use std::path::Path;

use kilonova_probe::{Authority, Issued, TlsConnection, wait_for};
use rcgen::ExtendedKeyUsagePurpose;
use rustix::process::Signal;

use super::mutual;
use crate::server::{Server, write, write_pair};

/// What a test starts from: everything is good.
struct Files {
    authority: Authority,
    issued: Issued,
    list: String,
}

impl Files {
    fn new() -> Self {
        let authority = Authority::new();
        let issued = Issued::valid(&authority);
        let list = authority.revoke(&[], (2026, 2099));
        Self {
            authority,
            issued,
            list,
        }
    }

    fn write(&self, directory: &Path) {
        for name in ["tls/tls.crt", "tls/tls.key", "ca.crt", "crl.pem"] {
            let path = directory.join(name);
            let _ = fs::remove_file(&path);
            let _ = fs::remove_dir_all(&path);
        }
        write_pair(directory, &self.issued);
        write(directory, "ca.crt", &self.authority.pem());
        write(directory, "crl.pem", &self.list);
    }
}

/// Breaks good files, and what is said of it; `{dir}` stands for their directory.
type Fault = (fn(&Files, &Path), &'static str);

const TORN: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

const FAULTS: [Fault; 20] = [
    (
        |_, at| fs::remove_file(at.join("tls/tls.crt")).unwrap(),
        "tls.certificateDirectory: Unable to find cert_file : {dir}/tls/tls.crt",
    ),
    (
        |_, at| fs::remove_file(at.join("ca.crt")).unwrap(),
        "tls.clientAuth.caFile: Unable to find ca_file : {dir}/ca.crt",
    ),
    (
        |_, at| fs::remove_file(at.join("tls/tls.key")).unwrap(),
        "tls.certificateDirectory: Unable to find key_file : {dir}/tls/tls.key",
    ),
    (
        |_, at| fs::remove_file(at.join("crl.pem")).unwrap(),
        "tls.clientAuth.crlFile: Unable to find crl_file : {dir}/crl.pem",
    ),
    (
        |_, at| become_directory(&at.join("tls/tls.crt")),
        "tls.certificateDirectory: {dir}/tls/tls.crt is a directory: it must be a PEM file",
    ),
    (
        |_, at| become_directory(&at.join("ca.crt")),
        "tls.clientAuth.caFile: {dir}/ca.crt is a directory: it must be a PEM file",
    ),
    (
        |_, at| {
            fs::remove_file(at.join("crl.pem")).unwrap();
            std::os::unix::fs::symlink("crl.pem", at.join("crl.pem")).unwrap();
        },
        "tls.clientAuth.crlFile: {dir}/crl.pem cannot be read: ",
    ),
    (
        |files, at| fs::write(at.join("ca.crt"), files.authority.der()).unwrap(),
        "tls.clientAuth.caFile: {dir}/ca.crt is not text: it must be PEM",
    ),
    (
        |_, at| drop(write(at, "tls/tls.crt", "junk")),
        "tls.certificateDirectory {dir}/tls: tls.crt holds no certificate",
    ),
    (
        |_, at| drop(write(at, "tls/tls.crt", TORN)),
        "tls.certificateDirectory {dir}/tls: tls.crt cannot be read: ",
    ),
    (
        |_, at| drop(write(at, "tls/tls.key", "junk")),
        "tls.certificateDirectory {dir}/tls: tls.key holds no private key",
    ),
    (
        |files, at| {
            let label = "ENCRYPTED PRIVATE KEY";
            let text = files.issued.key.replace("PRIVATE KEY", label);
            write(at, "tls/tls.key", &text);
        },
        "tls.certificateDirectory {dir}/tls: tls.key is encrypted: store it without a passphrase",
    ),
    (
        |files, at| {
            write(at, "tls/tls.key", &Issued::valid(&files.authority).key);
        },
        "tls.certificateDirectory {dir}/tls: tls.key is not the key of the first certificate in tls.crt",
    ),
    (
        |files, at| {
            let backwards = files.authority.pem() + &files.issued.certificate;
            write(at, "tls/tls.crt", &backwards);
        },
        "tls.certificateDirectory {dir}/tls: tls.key is the key of certificate 2 in tls.crt",
    ),
    (
        |files, at| {
            let client = files.authority.issue_with(&["nova.test"], |wanted| {
                wanted.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            });
            write_pair(at, &client);
        },
        "tls.certificateDirectory {dir}/tls: the certificate in tls.crt is not one for servers",
    ),
    (
        |_, at| drop(write(at, "ca.crt", "")),
        "tls.clientAuth.caFile {dir}/ca.crt: the CA bundle holds no certificate",
    ),
    (
        |files, at| drop(write(at, "ca.crt", &(files.authority.pem() + TORN))),
        "tls.clientAuth.caFile {dir}/ca.crt: certificate 2 of the CA bundle cannot be read: ",
    ),
    (
        |files, at| drop(write(at, "crl.pem", &files.authority.pem())),
        "tls.clientAuth.crlFile {dir}/crl.pem: there is no CRL in it",
    ),
    (
        |_, at| {
            let torn = TORN.replace("CERTIFICATE", "X509 CRL");
            write(at, "crl.pem", &torn);
        },
        "tls.clientAuth.crlFile {dir}/crl.pem: CRL 1 cannot be read: ",
    ),
    (
        |_, at| {
            let impostor = Authority::new();
            write(at, "crl.pem", &impostor.revoke(&[], (2026, 2099)));
        },
        "tls.clientAuth.crlFile {dir}/crl.pem: CRL 1 goes by the name of CN=",
    ),
];

fn become_directory(path: &Path) {
    fs::remove_file(path).unwrap();
    fs::create_dir(path).unwrap();
}

fn configuration() -> String {
    mutual("Optional").replace("ca.crt'", "ca.crt', crlFile: '{dir}/crl.pem'")
}

#[test]
fn at_start_it_is_the_end_and_the_reason_is_one_line() {
    for (fault, expected) in FAULTS {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::new();
        files.write(directory.path());
        fault(&files, directory.path());
        let expected = expected.replace("{dir}", &directory.path().display().to_string());
        let mut server = Server::start_in(directory, &configuration());
        assert_eq!(server.wait_exit().code(), Some(1), "{expected}");
        let log = server.log();
        let lines: Vec<_> = log.lines().collect();
        assert_eq!(lines.len(), 2, "{log}");
        let preface = "Failed to start osapi_compute on 127.0.0.1:0 with SSL support";
        assert!(lines[0].ends_with(preface), "{log}");
        assert!(
            lines[1].contains(" ERROR ") && lines[1].contains(&expected),
            "'{expected}' is not in\n{log}"
        );
    }
}

#[test]
fn later_nothing_changes_until_it_is_good_again() {
    let directory = tempfile::tempdir().unwrap();
    let files = Files::new();
    files.write(directory.path());
    let server = Server::start_in(directory, &configuration());
    server.wait_started();
    let shown = || {
        let client = files.authority.client(None);
        TlsConnection::handshake(server.address(), client)
            .unwrap()
            .certificate()
    };
    let error = || server.status().last_reload.and_then(|reload| reload.error);
    let at = server.path().display().to_string();
    for (fault, expected) in FAULTS {
        let expected = expected.replace("{dir}", &at);
        fault(&files, server.path());
        server.signal(Signal::HUP);
        wait_for(&expected, || {
            error().filter(|error| error.contains(&expected))
        });
        assert_eq!(shown(), files.issued.der(), "{expected}");
        files.write(server.path());
        server.signal(Signal::HUP);
        wait_for("the error to go", || error().is_none().then_some(()));
    }
    let refused = server
        .log()
        .matches("Nothing changed, still serving")
        .count();
    // Files that are written one after the other may have been read in between.
    assert!(refused >= FAULTS.len(), "{refused}");
    assert_eq!(
        server.metric("kilonova_reloads_total{result=\"applied\"}"),
        Some(0.0)
    );
}

#[test]
fn a_bad_set_reaches_none_of_four_workers_and_a_good_one_all() {
    let directory = tempfile::tempdir().unwrap();
    let files = Files::new();
    files.write(directory.path());
    let configuration = configuration().replace("workers: 2", "workers: 4");
    let server = Server::start_in(directory, &configuration);
    server.wait_started();
    wait_for("four workers", || {
        (server.ready_workers().len() == 4).then_some(())
    });
    // Connections that are kept are spread over all workers.
    let shown_by_all = || -> Vec<_> {
        let kept: Vec<_> = (0..8)
            .map(|_| {
                let client = files.authority.client(None);
                TlsConnection::handshake(server.address(), client).unwrap()
            })
            .collect();
        kept.iter().map(TlsConnection::certificate).collect()
    };
    let renewed = Issued::valid(&files.authority);
    // A good certificate beside a bad list: neither is taken.
    write(server.path(), "crl.pem", "junk");
    server.wait_log("there is no CRL in it");
    write_pair(server.path(), &renewed);
    server.signal(Signal::HUP);
    server.wait_log("Caught SIGHUP");
    server.status();
    assert_eq!(shown_by_all(), vec![files.issued.der(); 8]);
    assert_eq!(server.log().matches("there is no CRL in it").count(), 1);

    write(server.path(), "crl.pem", &files.list);
    server.wait_log("taken over");
    assert_eq!(shown_by_all(), vec![renewed.der(); 8]);
}
