//! The programs of the cluster itself, as `e2e/cluster/run` started them.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

/// Kills a program of the cluster, such as `kube-apiserver`, and has it started again.
pub fn restart(record: &str) {
    kill_process(pid(record), Signal::KILL).unwrap();
    let run = concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/run");
    let repaired = Command::new(run).args(["up", &cluster()]).status().unwrap();
    assert!(repaired.success(), "{record} was not started again");
}

/// The process that was started under a name: `node-2` is the first of that node's.
pub fn pid(record: &str) -> Pid {
    let path = Path::new("/var/lib/kilonova")
        .join(cluster())
        .join("process")
        .join(record);
    let content = fs::read_to_string(path).unwrap();
    let pid = content.split_whitespace().next().unwrap().parse().unwrap();
    Pid::from_raw(pid).unwrap()
}

fn cluster() -> String {
    env::var("KILONOVA_CLUSTER").expect("e2e/in-cluster names the cluster")
}
