//! Numbers that change while the server runs: workers by signal, connections at their limit.

use rustix::process::Signal;

use kilonova_probe::{Connection, client, wait_for};

use crate::server::Server;

fn configuration(workers: &str, most: u32) -> String {
    format!(
        "{{apis: [{{name: osapi_compute, port: 0, listen: 127.0.0.1{workers},
                   http: {{maxConnectionsPerWorker: {most}}}}}],
          admin: {{port: 0, loopback: true}}, drainDelaySeconds: 0}}"
    )
}

fn wait_workers(server: &Server, count: usize) {
    wait_for(&format!("{count} workers"), || {
        let api = server.api();
        (api.desired_workers as usize == count && api.workers.len() == count).then_some(())
    });
}

#[test]
fn signals_add_and_take_workers_until_everything_is_read_again() {
    let server = Server::start(&configuration(", workers: 2", 1000));
    server.signal(Signal::TTIN);
    wait_workers(&server, 3);
    server.signal(Signal::TTOU);
    wait_workers(&server, 2);
    server.signal(Signal::TTOU);
    wait_workers(&server, 1);
    server.signal(Signal::TTOU);
    server.wait_log("Caught SIGTTOU");
    wait_for("the third of them", || {
        let caught = server.log().matches("Caught SIGTTOU").count();
        (caught == 3).then_some(())
    });
    wait_workers(&server, 1);
    server.signal(Signal::HUP);
    wait_workers(&server, 2);

    server.signal(Signal::TTIN);
    wait_workers(&server, 3);
    server.configure(&configuration(", workers: 4", 1000));
    wait_workers(&server, 4);
}

#[test]
fn without_a_number_there_are_as_many_workers_as_the_cpu_limit_says() {
    let server = Server::start(&configuration("", 1000));
    let expected = kilonova_server::cgroup::default_workers();
    wait_workers(&server, expected as usize);
}

#[test]
fn a_new_connection_takes_the_place_of_the_one_idle_for_longest() {
    let server = Server::start(&configuration(", workers: 1", 3));
    let mut kept: Vec<_> = (0..3)
        .map(|_| {
            let mut connection = Connection::open(server.address()).unwrap();
            assert_eq!(connection.get("/").unwrap().status, 200);
            connection
        })
        .collect();
    // Whoever is used stays.
    assert_eq!(kept[0].get("/").unwrap().status, 200);
    assert_eq!(client::get(server.address(), "/").status, 200);
    assert!(kept[1].closed(), "idle for the longest");
    assert_eq!(kept[0].get("/").unwrap().status, 200);
    assert_eq!(kept[2].get("/").unwrap().status, 200);
}

#[test]
fn with_nothing_to_close_new_connections_wait() {
    let server = Server::start(&configuration(", workers: 1", 1));
    let mut busy = Connection::open(server.address()).unwrap();
    busy.send("GET / HTTP/1.1\r\nHost: nova.test\r\n").unwrap();
    let mut waiting = Connection::open(server.address()).unwrap();
    waiting
        .send("GET / HTTP/1.1\r\nHost: nova.test\r\n\r\n")
        .unwrap();
    wait_for("the first one to be held", || {
        (server.api().workers[0].connections == 1).then_some(())
    });
    server.configure(&configuration(", workers: 1", 2));
    assert_eq!(waiting.answer().unwrap().status, 200);
    busy.send("\r\n").unwrap();
    assert_eq!(busy.answer().unwrap().status, 200);
}
