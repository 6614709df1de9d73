//! Reload after reload with many connections open: nothing is kept that should have gone.

use std::thread::park_timeout;
use std::time::{Duration, Instant};

use kilonova_probe::server::Server;
use kilonova_probe::{Authority, Issued, wait_for};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};

use crate::figures::{figure, full, show};
use crate::mount::{Mount, files};
use crate::process::{Held, Memory, held, memory};
use crate::wire::Target;

const EACH: Duration = Duration::from_secs(1);

fn configuration(workers: u32, round: u32) -> String {
    let (level, timeout) = (["INFO", "WARNING"][round as usize % 2], 900 + round % 7);
    format!(
        "{{apis: [{{name: osapi_compute, port: 0, listen: 127.0.0.1, workers: {workers},
            http: {{clientSocketTimeoutSeconds: {timeout}}}, tls: {{certificateDirectory: '{{dir}}/tls'}}}}],
          logging: {{level: {level}}}, admin: {{port: 0, loopback: true}}}}"
    )
}

/// The supervisor first, then its workers.
fn processes(server: &Server) -> Vec<u32> {
    let workers = server.api().workers;
    let workers = workers.iter().map(|worker| worker.pid);
    std::iter::once(server.process()).chain(workers).collect()
}

/// What all of them hold, once nothing is on its way.
fn settled(processes: &[u32]) -> Vec<Held> {
    let all = || processes.iter().copied().map(held).collect::<Vec<_>>();
    let mut last = all();
    let mut since = Instant::now();
    wait_for("descriptors and tasks to stay the same", || {
        let now = all();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        (since.elapsed() >= EACH / 2).then(|| last.clone())
    })
}

/// Ours and the kernel's: what stays equal however often the files change.
#[test]
fn reloads_leave_nothing_behind() {
    let (workers, connections) = figure((8, 1000), (2, 100));
    let (lasts, baseline) = figure((180, 30), (10, 3));
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: most,
            maximum: most,
        },
    )
    .unwrap();

    let authority = Authority::new();
    let directory = tempfile::tempdir().unwrap();
    let first = Issued::valid(&authority);
    let mount = Mount::create(&directory.path().join("tls"), &files(&first, "none"));
    let server = Server::start_in(directory, &configuration(workers, 0));
    server.wait_started();
    server.wait_workers(workers as usize);
    let target = Target::secure(server.address(), authority.client(None));
    let mut kept: Vec<_> = (0..connections)
        .map(|_| target.connect().unwrap())
        .collect();
    let processes = processes(&server);

    let began = Instant::now();
    let mut before: Option<(Vec<Held>, Vec<Memory>)> = None;
    let mut asked = 0;
    for round in 1..=lasts {
        let next = began + EACH * round;
        server.configure(&configuration(workers, round));
        mount.swap_pair(&Issued::valid(&authority), "none");
        server.signal(Signal::HUP);
        // Meanwhile old connections are used, and new ones made.
        while Instant::now() < next {
            let index = asked % kept.len();
            assert_eq!(kept[index].get("/").unwrap().status, 200);
            if asked.is_multiple_of(20) {
                let mut once = target.connect().unwrap();
                assert_eq!(once.get("/v2.1/").unwrap().status, 200);
            }
            asked += 1;
            park_timeout(Duration::from_millis(1));
        }
        if round == baseline {
            let memories = processes.iter().copied().map(memory).collect();
            before = Some((settled(&processes), memories));
        }
    }
    let applied = server.metric("kilonova_reloads_total{result=\"applied\"}");
    let (before, memory_before) = before.unwrap();
    let after = settled(&processes);
    let memory_after: Vec<_> = processes.iter().copied().map(memory).collect();

    let growth = |of: fn(&Memory) -> u64| {
        let pairs = memory_before.iter().zip(&memory_after);
        let percent = pairs
            .map(|(before, after)| 100.0 * (kilobytes(of(after)) / kilobytes(of(before)) - 1.0));
        percent.fold(f64::MIN, f64::max)
    };
    let (proportional, own) = (
        growth(|memory| memory.proportional),
        growth(|memory| memory.own),
    );
    let sum = |memories: &[Memory]| {
        let all: u64 = memories.iter().map(|memory| memory.proportional).sum();
        kilobytes(all) / 1024.0
    };
    let held = |held: &[Held]| {
        let one = |held: &Held| format!("{}/{}", held.descriptors, held.tasks);
        held.iter().map(one).collect::<Vec<_>>().join(" ")
    };
    show(
        &format!("{lasts} s of reloads, {workers} workers, {connections} connections"),
        &[
            ("reloads taken over", &applied.unwrap_or_default(), ""),
            ("requests meanwhile", &asked, ""),
            ("descriptors/tasks before", &held(&before), ""),
            ("descriptors/tasks after", &held(&after), "equal"),
            ("PSS of all before, MiB", &sum(&memory_before), ""),
            ("PSS of all after, MiB", &sum(&memory_after), ""),
            (
                "PSS of one process grew at most by, %",
                &proportional,
                "<= 10",
            ),
            ("its own part of it at most by, %", &own, ""),
        ],
    );
    assert!(applied >= Some(f64::from(lasts) * 0.9), "{applied:?}");
    assert_eq!(before, after);
    assert_eq!(server.api().worker_restarts, 0);
    // The share of the program's text depends on the other tests that run it, unless there are none.
    let grew = if full() { proportional } else { own };
    assert!(grew <= 10.0, "{memory_before:?} {memory_after:?}");
}

#[allow(clippy::cast_precision_loss)]
fn kilobytes(of: u64) -> f64 {
    of as f64
}
