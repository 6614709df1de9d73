//! The log as its reader sees it.

use std::process::{Command, Stdio};

use kilonova_probe::{Authority, Connection, Issued, TlsConnection, client, wait_for};
use rustix::process::Signal;
use serde_json::Value;

use crate::server::Server;

fn start(http: &str, logging: &str) -> Server {
    Server::start(&configuration(http, logging))
}

fn configuration(http: &str, logging: &str) -> String {
    format!(
        "{{apis: [{{name: osapi_compute, port: 0, listen: 127.0.0.1, http: {http}}}], logging: {logging},
          admin: {{port: 0, loopback: true}}}}"
    )
}

fn line(server: &Server, contains: &str) -> String {
    wait_for(&format!("'{contains}' in the log"), || {
        let log = server.log();
        let line = log.lines().find(|line| line.contains(contains))?;
        Some(line.to_owned())
    })
}

#[test]
fn a_request_is_logged_as_nova_does() {
    let server = start("{}", "{}");
    let answer = client::get(server.address(), "/v2.1/?a=b");
    let id = answer.header("x-openstack-request-id").unwrap();
    let line = line(&server, "GET /v2.1/");
    let (before, after) = line.split_once(" INFO ").unwrap();
    assert!(before.ends_with(&format!(" {}", server.ready_workers()[0])));
    let start = format!(
        "nova.osapi_compute.wsgi.server [{id}] 127.0.0.1 \"GET /v2.1/?a=b HTTP/1.1\" status: 200 len: {} time: 0.",
        answer.body.len()
    );
    let decimals = after.strip_prefix(&start).unwrap();
    assert!(
        decimals.len() == 7 && decimals.bytes().all(|byte| byte.is_ascii_digit()),
        "{line}"
    );
}

#[test]
fn a_format_of_one_s_own_is_followed_and_hot() {
    let server = start(
        "{accessLog: {format: '%(method)s-%(status_code)05d-%(client_identity)s'}}",
        "{}",
    );
    client::get(server.address(), "/nowhere");
    server.wait_log("] GET-00300--\n");
    server.configure(&configuration(
        "{accessLog: {format: 'now %(path)s'}}",
        "{}",
    ));
    server.wait_log("Configuration and certificates taken over");
    client::get(server.address(), "/other");
    server.wait_log("] now /other\n");
}

#[test]
fn json_knows_who_asked_for_what() {
    let authority = Authority::new();
    let alice = authority.issue(&["alice"], (2020, 2099));
    let server = crate::tls::serve(
        &authority,
        &Issued::valid(&authority),
        "{apis: [{name: osapi_compute, port: 0, listen: 127.0.0.1, http: {accessLog: {format: json}},
           tls: {certificateDirectory: '{dir}/tls', clientAuth: {caFile: '{dir}/ca.crt'}}}],
          admin: {port: 0, loopback: true}}",
    );
    let mut connection =
        TlsConnection::handshake(server.address(), authority.client(Some(&alice))).unwrap();
    connection
        .send("GET /v2.1/ HTTP/1.1\r\nHost: nova.test\r\nUser-Agent: \"test\"\r\nX-Auth-Token: secret\r\nOpenStack-API-Version: compute 2.53\r\n\r\n")
        .unwrap();
    let answer = connection.answer().unwrap();
    let line = line(&server, "request_line");
    let object: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        object["request_id"],
        answer.header("x-openstack-request-id").unwrap()
    );
    assert_eq!(object["status_code"], 200);
    assert_eq!(object["microversion"], "2.53");
    assert_eq!(object["user_agent"], "\"test\"");
    assert_eq!(object["body_length"], answer.body.len());
    assert!(object["wall_seconds"].is_f64());
    assert_eq!(object["client_identity"], "alice");
    assert!(!server.log().contains("secret"));
}

#[test]
fn each_logger_has_its_level_and_keeps_it_hot() {
    let server = start("{}", "{levels: {nova.osapi_compute.wsgi.server: WARNING}}");
    let marked = |path: &str| server.log().contains(&format!("GET {path} "));
    client::get(server.address(), "/unseen");
    server.configure(&configuration(
        "{}",
        "{level: ERROR, levels: {nova: DEBUG}}",
    ));
    wait_for("the levels", || {
        client::get(server.address(), "/seen");
        marked("/seen").then_some(())
    });
    assert!(!marked("/unseen"), "{}", server.log());
    let worker = server.ready_workers()[0];
    server.wait_log(&format!(
        " DEBUG nova.osapi_compute.wsgi.server [-] ({worker}) accepted ('127.0.0.1', "
    ));
    assert!(
        !server
            .log()
            .contains("Configuration and certificates taken over")
    );
}

#[test]
fn probes_are_not_logged() {
    let server = start("{}", "{level: DEBUG}");
    for path in ["/livez", "/readyz", "/metrics", "/status"] {
        client::get(server.admin(), path);
    }
    Connection::open(server.address())
        .unwrap()
        .get("/")
        .unwrap();
    server.wait_log("GET / HTTP/1.1");
    assert!(!server.log().contains("livez"), "{}", server.log());
}

#[test]
fn a_bad_format_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("kilonova.yaml");
    std::fs::write(
        &file,
        configuration("{accessLog: {format: '%(client)s'}}", "{}"),
    )
    .unwrap();
    let (code, _, error) = crate::server::run(&["check", "--config", file.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(
        error.contains(
            "apis[0].http.accessLog.format: there is no %(client)s: the names are client_ip, "
        ),
        "{error}"
    );
}

/// Nobody reads: requests are answered all the same, and what is lost is counted.
#[test]
fn a_log_nobody_reads_holds_nobody_up() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("kilonova.yaml");
    let format = format!(
        "{{accessLog: {{format: '{}'}}, maxUrlBytes: 65535}}",
        "%(path)s".repeat(20)
    );
    std::fs::write(&file, configuration(&format, "{}")).unwrap();
    let mut process = Command::new("setpriv")
        .args([
            "--pdeathsig",
            "KILL",
            env!("CARGO_BIN_EXE_kilonova-server"),
            "serve",
            "--config",
        ])
        .arg(&file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = std::io::BufReader::new(process.stdout.take().unwrap());
    let port = |words: &str| loop {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut log, &mut line).unwrap();
        if line.contains(words) {
            break line.trim().rsplit(' ').next().unwrap().to_owned();
        }
    };
    let mut port = port;
    let address = port("osapi_compute listening on").parse().unwrap();
    let admin = port("admin listening on").parse().unwrap();
    wait_for("the start", || {
        (client::try_get(admin, "/startupz").ok()?.status == 200).then_some(())
    });
    let mut connection = Connection::open(address).unwrap();
    let path = format!("/{}", "x".repeat(60_000));
    for _ in 0..20 {
        assert_eq!(connection.get(&path).unwrap().status, 300);
    }
    wait_for("dropped lines", || {
        let text = client::get(admin, "/metrics").body;
        let text = String::from_utf8(text).unwrap();
        let count = text
            .lines()
            .find_map(|line| line.strip_prefix("kilonova_log_lines_dropped_total "))?;
        (count.parse::<f64>().unwrap() > 0.0).then_some(())
    });
    process.kill().unwrap();
    process.wait().unwrap();
}

#[test]
fn a_life_is_told_in_nova_s_words() {
    let mut server = Server::start(
        "{apis: [{name: osapi_compute, port: 0, listen: 127.0.0.1, workers: 2}], logging: {level: DEBUG},
          drainDelaySeconds: 0, admin: {port: 0, loopback: true}}",
    );
    let address = server.address();
    let workers = server.wait_workers(2);
    server.signal(Signal::TERM);
    assert_eq!(server.wait_exit().code(), Some(0));
    let log = server.log();
    let mut rest = log.as_str();
    for words in [
        &format!("osapi_compute listening on {address}\n"),
        "Starting 2 workers\n",
        "All APIs are served\n",
        "Caught SIGTERM, stopping children\n",
        "Stopping WSGI server.\n",
        "Waiting on 2 children to exit\n",
        "WSGI server has stopped.\n",
    ] {
        let (_, after) = rest
            .split_once(words)
            .unwrap_or_else(|| panic!("no '{words}' in its place in\n{log}"));
        rest = after;
    }
    for worker in workers {
        for words in [
            format!("Started child {worker}\n"),
            format!(
                " INFO nova.osapi_compute.wsgi.server [-] ({worker}) wsgi starting up on http://{address}\n"
            ),
            format!(" INFO nova.osapi_compute.wsgi.server [-] ({worker}) wsgi exited\n"),
            format!("Child {worker} exited with status 0\n"),
        ] {
            assert!(log.contains(&words), "no '{words}' in\n{log}");
        }
    }
}
