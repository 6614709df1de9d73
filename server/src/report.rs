//! The report: oslo.reports' Guru Meditation Report, of a whole pod instead of one process.
//!
//! `kill -USR2` of the supervisor, or a touch of `reports.triggerFile`, has every worker asked for what it does; the
//! text goes to standard error or into a file of `reports.directory`.

use std::fmt::Write;
use std::net::IpAddr;

use kilonova_config::Config;
use kilonova_config::status::PodStatus;
use serde::{Deserialize, Serialize};

use crate::VERSION;

/// Connections of a worker that a report lists, the oldest first; the others are counted.
pub const LISTED_CONNECTIONS: usize = 100;
const WIDTH: usize = 72;

/// What a worker says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct WorkerReport {
    /// Tasks of its runtime that are alive.
    pub tasks: usize,
    /// Its oldest connections.
    pub connections: Vec<ConnectionReport>,
    /// How many more it has.
    pub more: usize,
}

/// A connection at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ConnectionReport {
    /// Who made it.
    pub peer: IpAddr,
    /// Whether it speaks HTTP/2.
    pub http2: bool,
    /// Seconds since it was taken charge of.
    pub age: u64,
    /// Seconds since the last byte in either direction.
    pub idle: u64,
    /// Requests begun and not answered.
    pub in_flight: u32,
}

/// A process of the pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub process: u32,
    /// Its parent's id.
    pub parent: u32,
    /// Its user's id.
    pub user: u32,
    /// Its state as the kernel names it, such as `sleeping`.
    pub state: String,
}

/// Everything a report is made of.
#[derive(Debug)]
pub struct Material<'a> {
    /// What `/status` answers.
    pub status: &'a PodStatus,
    /// The effective settings.
    pub config: &'a Config,
    /// Tasks of the supervisor that are alive.
    pub tasks: usize,
    /// Every worker's process id, its API, and what it said; `None` when it did not answer in time.
    pub workers: &'a [(u32, String, Option<WorkerReport>)],
    /// The supervisor and its workers, as far as they could be looked at.
    pub processes: &'a [Process],
}

/// The text of a report.
pub fn text(material: &Material<'_>) -> String {
    let mut report = String::new();
    title(&mut report, "Guru Meditation");
    let _ = writeln!(report, "{}\n\n", "|".repeat(WIDTH));
    title(&mut report, "Package");
    let _ = writeln!(report, "product = Kilonova\nversion = {VERSION}\n");
    title(&mut report, "Threads");
    threads(&mut report, material);
    title(&mut report, "Processes");
    for Process {
        process,
        parent,
        user,
        state,
    } in material.processes
    {
        let _ = writeln!(
            report,
            "Process {process} (under {parent}) [ run by: {user}, state: {state} ]"
        );
    }
    report.push('\n');
    title(&mut report, "Status");
    report.push_str(&yaml(material.status));
    report.push('\n');
    title(&mut report, "Configuration");
    report.push_str(&yaml(&masked(material.config)));
    report
}

fn threads(report: &mut String, material: &Material<'_>) {
    let _ = writeln!(report, "supervisor: {} tasks", material.tasks);
    for (process, api, said) in material.workers {
        let _ = writeln!(
            report,
            "\n{:-^WIDTH$}",
            format!(" {api} worker #{process} ")
        );
        let Some(said) = said else {
            let _ = writeln!(report, "did not answer");
            continue;
        };
        let connections = said.connections.len() + said.more;
        let _ = writeln!(report, "{} tasks, {connections} connections", said.tasks);
        for connection in &said.connections {
            let protocol = if connection.http2 {
                "HTTP/2"
            } else {
                "HTTP/1.1"
            };
            let _ = writeln!(
                report,
                "{} {protocol}: open {} s, idle {} s, {} requests in flight",
                connection.peer, connection.age, connection.idle, connection.in_flight
            );
        }
        if said.more > 0 {
            let _ = writeln!(report, "and {} younger ones", said.more);
        }
    }
    report.push('\n');
}

fn title(report: &mut String, title: &str) {
    let rule = "=".repeat(WIDTH);
    let _ = writeln!(report, "{rule}\n===={title:^64}====\n{rule}");
}

/// oslo.reports shows secret options as three stars.
fn masked(config: &Config) -> Config {
    Config {
        nonce: config.nonce.as_ref().map(|_| "***".to_owned()),
        ..config.clone()
    }
}

fn yaml(value: &impl Serialize) -> String {
    // Plain data: it always has a text.
    serde_yaml::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kilonova_config::status::PodState;

    fn status() -> PodStatus {
        PodStatus {
            version: "1".to_owned(),
            state: PodState::Running,
            revision: String::new(),
            sources: Vec::new(),
            apis: Vec::new(),
            database: None,
            ignored_settings: Vec::new(),
            needs_restart: false,
            last_reload: None,
        }
    }

    #[test]
    fn it_says_everything_but_secrets() {
        let config = Config {
            nonce: Some("hunter2".to_owned()),
            ..Config::default()
        };
        let connection = ConnectionReport {
            peer: [192, 0, 2, 1].into(),
            http2: false,
            age: 61,
            idle: 2,
            in_flight: 1,
        };
        let answered = WorkerReport {
            tasks: 5,
            connections: vec![connection],
            more: 3,
        };
        let text = text(&Material {
            status: &status(),
            config: &config,
            tasks: 9,
            workers: &[
                (7, "osapi_compute".to_owned(), Some(answered)),
                (8, "metadata".to_owned(), None),
            ],
            processes: &[Process {
                process: 7,
                parent: 1,
                user: 65532,
                state: "sleeping".to_owned(),
            }],
        });
        for expected in [
            "====                        Guru Meditation                         ====\n",
            "supervisor: 9 tasks\n",
            "----------------------- osapi_compute worker #7 ------------------------\n5 tasks, 4 connections\n",
            "192.0.2.1 HTTP/1.1: open 61 s, idle 2 s, 1 requests in flight\nand 3 younger ones\n",
            " metadata worker #8 --------------------------\ndid not answer\n",
            "Process 7 (under 1) [ run by: 65532, state: sleeping ]\n",
            "state: Running\n",
            "nonce: '***'\n",
            "gracefulShutdownTimeoutSeconds: 60\n",
        ] {
            assert!(text.contains(expected), "{expected:?} in\n{text}");
        }
        assert!(!text.contains("hunter2"));
    }
}
