//! The metrics, as Prometheus judges them.

use std::io::Write;
use std::process::{Command, Stdio};

use kilonova_probe::{Authority, Issued, client, wait_for};
use rustix::process::Signal;

use crate::server::{Server, write, write_pair};

#[test]
fn promtool_finds_nothing_to_say_about_them() {
    let authority = Authority::new();
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("tls")).unwrap();
    write_pair(directory.path(), &Issued::valid(&authority));
    write(directory.path(), "ca.crt", &authority.pem());
    let server = Server::start_in(
        directory,
        "{apis: [{name: osapi_compute, port: 0, listen: 127.0.0.1, workers: 1},
                 {name: metadata, port: 0, listen: 127.0.0.1, workers: 1,
                  tls: {certificateDirectory: '{dir}/tls', clientAuth: {mode: Optional, caFile: '{dir}/ca.crt'}}}],
          database: {sqliteFile: '{dir}/nova.sqlite'}, admin: {port: 0, loopback: true}}",
    );
    server.wait_started();
    client::get(server.address(), "/");
    server.signal(Signal::HUP);
    wait_for("the request to be counted", || {
        server.metric(
            "kilonova_requests_total{api=\"osapi_compute\",code_class=\"2xx\",method=\"GET\"}",
        )
    });
    let text = client::get(server.admin(), "/metrics").body;
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is in Debian's package prometheus: e2e/packages prometheus");
    promtool.stdin.take().unwrap().write_all(&text).unwrap();
    let judged = promtool.wait_with_output().unwrap();
    let said = String::from_utf8(judged.stderr).unwrap();
    assert!(judged.status.success() && said.is_empty(), "{said}");
    let families = String::from_utf8(text).unwrap().matches("# TYPE ").count();
    assert!(families >= 15, "{families} families");
}
