//! Starting, and what is said when it cannot be.

use std::net::TcpListener;

use rustix::process::Signal;

use crate::server::{Server, run, write};
use kilonova_probe::{Connection, client};

const ONE: &str =
    "{apis: [{name: osapi_compute, port: 0, listen: 127.0.0.1}], admin: {port: 0, loopback: true}}";

/// Exit status and log of a server that should not start.
fn refused(configuration: &str) -> (Option<i32>, String) {
    let mut server = Server::start_in(tempfile::tempdir().unwrap(), configuration);
    let status = server.wait_exit();
    (status.code(), server.log())
}

#[test]
fn an_unknown_app_is_skipped_with_nova_s_warning() {
    let server = Server::start(
        "{apis: [{name: ec2}, {name: metadata, port: 0, listen: 127.0.0.1}], admin: {port: 0, loopback: true}}",
    );
    assert_eq!(server.status().apis.len(), 1);
    assert!(server.log().contains(
        "Could not load paste app 'ec2'. ``enabled_apis`` includes bad values. Fix to remove this warning."
    ));
    assert_eq!(client::get(server.address(), "/").status, 200);
}

#[test]
fn nothing_started_is_a_failure() {
    for configuration in ["{}", "{apis: []}", "{apis: [{name: ec2}]}"] {
        let (status, log) = refused(configuration);
        assert_eq!(status, Some(1));
        assert!(
            log.contains("No APIs were started. Check the enabled_apis config option."),
            "{log}"
        );
    }
}

#[test]
fn a_taken_port_is_a_failure_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let (status, log) = refused(&format!(
        "{{apis: [{{name: metadata, port: {port}, listen: 127.0.0.1}}]}}"
    ));
    assert_eq!(status, Some(1));
    assert!(
        log.contains(&format!("Could not bind to 127.0.0.1:{port}")),
        "{log}"
    );
}

#[test]
fn a_bad_setting_is_one_line_that_names_it() {
    let (status, log) = refused("{apis: [{name: metadata, workers: 0}]}");
    assert_eq!(status, Some(1));
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(
        log.contains(
            "apis[0].workers: metadata_workers value of 0 is invalid, must be greater than 0"
        ),
        "{log}"
    );
}

#[test]
fn bad_tls_files_end_the_start_before_any_worker() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "tls.crt", "junk");
    write(directory.path(), "tls.key", "junk");
    let mut server = Server::start_in(
        directory,
        "{apis: [{name: metadata, port: 0, tls: {certificateDirectory: '{dir}'}}]}",
    );
    assert_eq!(server.wait_exit().code(), Some(1));
    assert!(
        server.log().contains("tls.crt holds no certificate"),
        "{}",
        server.log()
    );
    assert!(!server.log().contains("Starting"), "{}", server.log());
}

#[test]
fn probes_tell_the_phases_apart() {
    let server = Server::start(ONE);
    for probe in ["/livez", "/readyz", "/startupz"] {
        let answer = client::get(server.admin(), probe);
        assert_eq!(
            (answer.status, answer.body.as_slice()),
            (200, &b"ok\n"[..]),
            "{probe}"
        );
    }
    assert_eq!(client::get(server.admin(), "/else").status, 404);
}

#[test]
fn the_access_log_is_nova_s() {
    let server = Server::start(ONE);
    client::get(server.address(), "/v2.1/servers?a=b");
    server.wait_log(" 127.0.0.1 \"GET /v2.1/servers?a=b HTTP/1.1\" status: 401 len: 114 time: 0.");
    assert!(
        server
            .log()
            .contains(" INFO nova.osapi_compute.wsgi.server [req-"),
        "{}",
        server.log()
    );
    client::get(server.admin(), "/livez");
    assert!(!server.log().contains("livez"), "probes are not logged");
}

#[test]
fn check_is_strict_and_prints_what_would_be_served() {
    let directory = tempfile::tempdir().unwrap();
    let good = write(directory.path(), "good.yaml", "apis: [{name: metadata}]");
    let (status, out, _) = run(&["check", "--config", good.to_str().unwrap()]);
    assert_eq!(status, Some(0));
    assert!(out.contains("name: metadata"), "{out}");

    let typing_error = write(
        directory.path(),
        "bad.yaml",
        "apis: [{name: metadata, wrokers: 2}]",
    );
    let (status, _, err) = run(&["check", "--config", typing_error.to_str().unwrap()]);
    assert_eq!(
        (status, err.as_str()),
        (Some(1), "configuration: apis.0.wrokers is not known\n")
    );
}

#[test]
fn the_command_line_fails_with_two() {
    assert_eq!(run(&["serve", "--confg", "x"]).0, Some(2));
    let named = format!("kilonova-server {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&["--version"]), (Some(0), named, String::new()));
    assert_eq!(
        run(&["version"]),
        (
            Some(0),
            format!("{}\n", env!("CARGO_PKG_VERSION")),
            String::new()
        )
    );
}

#[test]
fn a_configuration_that_is_not_there_is_a_failure() {
    let (status, out, _) = run(&["serve", "--config", "/nonexistent/kilonova.yaml"]);
    assert_eq!(status, Some(1));
    let said = "cannot read /nonexistent/kilonova.yaml: No such file or directory";
    assert!(out.contains(said) && out.lines().count() == 1, "{out}");
}

#[test]
fn a_term_before_all_is_served_ends_at_once() {
    let directory = tempfile::tempdir().unwrap();
    // Nobody listens there.
    write(
        directory.path(),
        "url",
        "postgresql://nova@127.0.0.1:1/nova",
    );
    let mut server = Server::start_in(
        directory,
        "{apis: [{name: metadata, port: 0, listen: 127.0.0.1}], database: {connectionFile: '{dir}/url'},
          admin: {port: 0, loopback: true}}",
    );
    server.wait_log("Lost connection to the database");
    server.signal(Signal::TERM);
    assert_eq!(server.wait_exit().code(), Some(143));
}

#[test]
fn the_port_of_a_server_that_ended_is_free_at_once() {
    let mut first = Server::start(&ONE.replace("port: 0, listen", "port: 0, workers: 1, listen"));
    let address = first.address();
    let mut kept = Connection::open(address).unwrap();
    kept.get("/").unwrap();
    first.signal(Signal::INT);
    assert_eq!(first.wait_exit().code(), Some(1));
    // The server closed it first: its system remembers the port for a minute.
    assert!(kept.closed());
    let port = format!("port: {}, listen", address.port());
    let second = Server::start(&ONE.replace("port: 0, listen", &port));
    assert_eq!(client::get(second.address(), "/").status, 200);
}
