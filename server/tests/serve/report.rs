//! The report: asked for by signal or by file, complete, and without secrets.

use std::fs;

use rustix::process::Signal;

use kilonova_probe::{Connection, wait_for};

use crate::server::{Server, write};

const CONFIGURATION: &str =
    "{apis: [{name: osapi_compute, port: 0, listen: 127.0.0.1, workers: 2}],
      admin: {port: 0, loopback: true}, nonce: hunter2";

#[test]
fn a_signal_asks_for_a_report_on_standard_error() {
    let server = Server::start(&format!("{CONFIGURATION}}}"));
    let workers = wait_for("two workers", || {
        let ready = server.ready_workers();
        (ready.len() == 2).then_some(ready)
    });
    let mut connection = Connection::open(server.address()).unwrap();
    connection.get("/").unwrap();
    server.signal(Signal::USR2);
    server.wait_log("gracefulShutdownTimeoutSeconds: 60");
    let log = server.log();
    for expected in [
        "Guru Meditation".to_owned(),
        format!("osapi_compute worker #{}", workers[0]),
        format!("osapi_compute worker #{}", workers[1]),
        format!("Process {} (under ", workers[0]),
        "127.0.0.1 HTTP/1.1: open".to_owned(),
        "version = 0.1.0".to_owned(),
    ] {
        assert!(log.contains(&expected), "{expected}");
    }
    assert!(!log.contains("hunter2"), "secrets are masked");
    assert!(!log.contains("did not answer"));
    assert_eq!(connection.get("/").unwrap().status, 200);
}

#[test]
fn a_worker_that_hangs_is_in_the_report() {
    let server = Server::start(&format!("{CONFIGURATION}}}"));
    let workers = wait_for("two workers", || {
        let ready = server.ready_workers();
        (ready.len() == 2).then_some(ready)
    });
    crate::server::signal_process(workers[1], Signal::STOP);
    server.signal(Signal::USR2);
    server.wait_log("did not answer");
    crate::server::signal_process(workers[1], Signal::CONT);
}

#[test]
fn a_touched_file_asks_for_a_report_in_a_folder() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "trigger", "");
    fs::create_dir(directory.path().join("reports")).unwrap();
    let server = Server::start_in(
        directory,
        &format!(
            "{CONFIGURATION}, reports: {{directory: '{{dir}}/reports', triggerFile: '{{dir}}/trigger'}}}}"
        ),
    );
    server.wait_started();
    let reports = server.path().join("reports");
    let written = wait_for("a report", || {
        // It says nothing of what was before it first looked.
        write(
            server.path(),
            "trigger",
            &format!("{:?}", std::time::Instant::now()),
        );
        let file = fs::read_dir(&reports).unwrap().next()?.unwrap().path();
        let text = fs::read_to_string(&file).unwrap();
        text.contains("gracefulShutdownTimeoutSeconds")
            .then_some((file, text))
    });
    let name = written.0.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(
        name.starts_with("kilonova-server_gurumeditation_"),
        "{name}"
    );
    assert!(written.1.contains("Guru Meditation"));
}

#[test]
fn a_trigger_file_that_is_not_there_ends_the_start() {
    let mut server = Server::start_in(
        tempfile::tempdir().unwrap(),
        &format!("{CONFIGURATION}, reports: {{triggerFile: '{{dir}}/nowhere'}}}}"),
    );
    assert_eq!(server.wait_exit().code(), Some(1));
    let log = server.log();
    assert!(
        log.contains("reports.triggerFile") && log.contains("nowhere: No such file"),
        "{log}"
    );
}

#[test]
fn a_folder_that_cannot_be_written_to_is_said() {
    let server = Server::start(&format!(
        "{CONFIGURATION}, reports: {{directory: '{{dir}}/nowhere'}}}}"
    ));
    server.signal(Signal::USR2);
    server.wait_log(&format!(
        "Unable to dump Guru Meditation Report to file {}/nowhere/kilonova-server_gurumeditation_",
        server.path().display()
    ));
}
