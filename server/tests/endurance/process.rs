//! Processes as the kernel sees them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// What a process holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub descriptors: usize,
    pub tasks: usize,
}

pub fn held(process: u32) -> Held {
    let entries = |folder: &str| fs::read_dir(format!("/proc/{process}/{folder}")).unwrap();
    Held {
        descriptors: entries("fd").count(),
        tasks: entries("task").count(),
    }
}

/// Memory of a process in KiB, with its share of what others use too.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    pub proportional: u64,
    /// Only what is its own: not the program's text, whose share depends on who else runs it.
    pub own: u64,
}

pub fn memory(process: u32) -> Memory {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap();
    let kilobytes = |name: &str| {
        let line = rollup.lines().find_map(|line| line.strip_prefix(name));
        let value = line.unwrap_or_default().trim().trim_end_matches(" kB");
        value.parse().unwrap_or(0)
    };
    Memory {
        proportional: kilobytes("Pss:"),
        own: kilobytes("Pss_Anon:") + kilobytes("Pss_Shmem:"),
    }
}

/// Processor time all its threads have had.
pub fn processor_time(process: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let nanoseconds = tasks.flatten().map(|task| {
        let schedule = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        let first = schedule.split(' ').next().unwrap_or_default();
        first.parse().unwrap_or(0)
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// Ports of the clients whose IPv4 connections a process holds.
pub fn client_ports(process: u32) -> BTreeSet<u16> {
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let sockets: BTreeSet<u64> = descriptors
        .flatten()
        .filter_map(|descriptor| Some(fs::metadata(descriptor.path()).ok()?.ino()))
        .collect();
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let rows = table.lines().skip(1).map(|row| row.split_whitespace());
    rows.filter_map(|mut row| {
        let remote = row.nth(2)?;
        let inode = row.nth(6)?;
        sockets.contains(&inode.parse().ok()?).then_some(())?;
        u16::from_str_radix(remote.rsplit(':').next()?, 16).ok()
    })
    .collect()
}

/// Whether a process is stopped, and so changes nothing any more.
pub fn stopped(process: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    tasks.flatten().all(|task| {
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        stat.contains(") T ")
    })
}

/// Whether a process has ended.
pub fn gone(process: u32) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| stat.contains(") Z "))
        || !fs::exists(format!("/proc/{process}")).unwrap()
}
