//! An app that dies at start: said, not fought for, and forgotten once it lives again.

use std::time::{Duration, Instant};

use kilonova_probe::server::{Server, signal_process};
use kilonova_probe::{client, wait_for, wait_within};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};

use crate::figures::show;
use crate::process;

/// A stack so small that no worker gets through its start; who runs already has all it needs.
const TINY_STACK: u64 = 12 * 1024;

/// Limits the stacks of programs the supervisor starts from now on.
fn limit_stack(server: &Server, most: Option<u64>) {
    let supervisor = Pid::from_raw(i32::try_from(server.process()).unwrap());
    let limit = Rlimit {
        current: most,
        maximum: getrlimit(Resource::Stack).maximum,
    };
    prlimit(supervisor, Resource::Stack, limit).unwrap();
}

#[test]
fn an_app_that_dies_at_start_is_failing_and_heals() {
    let server = Server::start(
        "{apis: [{name: osapi_compute, port: 0, listen: 127.0.0.1, workers: 2}], admin: {port: 0, loopback: true}}",
    );
    let workers = server.wait_workers(2);
    limit_stack(&server, Some(TINY_STACK));
    let began = Instant::now();
    for worker in workers {
        signal_process(worker, Signal::KILL);
    }
    let reason = wait_for("the API to be failing", || server.api().failing);
    let failing_after = began.elapsed();
    assert!(failing_after < Duration::from_secs(10), "{failing_after:?}");
    // How it ended, and what it said last if it came so far.
    let ends = [
        "killed by signal 11",
        "killed by signal 6: fatal runtime error: stack overflow, aborting",
    ];
    assert!(ends.iter().any(|end| reason.ends_with(end)), "{reason}");
    let ready = client::get(server.admin(), "/readyz");
    assert_eq!(ready.status, 503);
    assert!(String::from_utf8_lossy(&ready.body).contains(&reason));

    let window = Duration::from_secs(5);
    let (before, began) = (process::processor_time(server.process()), Instant::now());
    wait_for("five seconds to pass", || {
        (began.elapsed() >= window).then_some(())
    });
    let used = process::processor_time(server.process()).saturating_sub(before);
    let percent = 100.0 * used.as_secs_f64() / began.elapsed().as_secs_f64();

    limit_stack(&server, getrlimit(Resource::Stack).current);
    let healing = Instant::now();
    wait_within(Duration::from_secs(60), "the API to heal", || {
        server.api().failing.is_none().then_some(())
    });
    let healed_after = healing.elapsed();
    assert_eq!(client::get(server.address(), "/").status, 200);
    assert_eq!(client::get(server.admin(), "/readyz").status, 200);
    show(
        "an app that dies at start",
        &[
            (
                "failing after seconds",
                &failing_after.as_secs_f32(),
                "< 10",
            ),
            ("reason on /status", &reason, ""),
            ("supervisor's processor time meanwhile, %", &percent, "< 1"),
            ("healed after seconds", &healed_after.as_secs_f32(), ""),
        ],
    );
    assert!(percent < 1.0, "{percent} %");
}
