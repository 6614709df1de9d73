//! Processes inside pods, seen from the machine: the images hold no shell to look with.

use std::fs;

use k8s_openapi::api::core::v1::Pod;
use rustix::process::{Pid, Signal, kill_process};

/// A process of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id on this machine.
    pub outside: u32,
    /// Its id in its pod.
    pub inside: u32,
    /// Its command line.
    pub command: String,
}

/// The processes of a pod, by its uid in the names of their control groups.
pub fn of_pod(pod: &Pod) -> Vec<Process> {
    let uid = pod.metadata.uid.clone().unwrap();
    let uids = [uid.replace('-', "_"), uid];
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(outside) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let read = |file: &str| fs::read_to_string(entry.path().join(file)).unwrap_or_default();
        if !uids.iter().any(|uid| read("cgroup").contains(uid.as_str())) {
            continue;
        }
        let status = read("status");
        let ids = status
            .lines()
            .find_map(|line| line.strip_prefix("NSpid:"))
            .unwrap_or_default();
        let inside = ids.split_whitespace().last().and_then(|id| id.parse().ok());
        if let Some(inside) = inside {
            let command = read("cmdline").replace('\0', " ");
            found.push(Process {
                outside,
                inside,
                command,
            });
        }
    }
    found
}

/// Ends a process at once, as `kill -9` in its pod would.
pub fn kill(process: &Process) {
    signal(process, Signal::KILL);
}

/// Sends a signal to a process.
pub fn signal(process: &Process, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(process.outside).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}
