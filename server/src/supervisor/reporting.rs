//! A report on its way: every worker is asked, and the text is written when all have answered or time is up.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::Supervisor;
use super::accept::WorkerId;
use super::reload::Stamps;
use crate::message::ToWorker;
use crate::report::{self, Material, Process, WorkerReport};

/// Seconds a worker has to answer.
const PATIENCE: u32 = 2;

/// Answers to one question.
#[derive(Debug, Default)]
pub struct Report {
    asked: BTreeSet<WorkerId>,
    answers: BTreeMap<WorkerId, WorkerReport>,
    seconds: u32,
}

impl Report {
    /// A worker answered, or is gone.
    fn answered(&mut self, worker: WorkerId, answer: Option<WorkerReport>) {
        if self.asked.remove(&worker)
            && let Some(answer) = answer
        {
            self.answers.insert(worker, answer);
        }
    }

    fn complete(&self) -> bool {
        self.asked.is_empty() || self.seconds >= PATIENCE
    }
}

/// Sees when somebody touches the trigger file (`[oslo_reports] file_event_handler`).
#[derive(Debug, Default)]
pub struct Trigger {
    seen: Option<Stamps>,
    seconds: u32,
}

impl Trigger {
    /// A second has passed; whether the file was touched since it was last looked at, every `interval` seconds.
    fn pulled(&mut self, file: &Path, interval: u32) -> bool {
        self.seconds += 1;
        if self.seen.is_some() && self.seconds < interval {
            return false;
        }
        self.seconds = 0;
        let now = Stamps::of(&[file.to_owned()]);
        let touched = self.seen.as_ref().is_some_and(|seen| *seen != now);
        self.seen = Some(now);
        touched
    }
}

impl Supervisor {
    pub(super) fn begin_report(&mut self) {
        let mut asked = BTreeSet::new();
        for service in &self.services {
            service.tell_all(&ToWorker::Report);
            asked.extend(service.workers.keys());
        }
        self.report = Some(Report {
            asked,
            ..Report::default()
        });
        self.report_if_complete();
    }

    pub(super) fn report_answered(&mut self, worker: WorkerId, answer: Option<WorkerReport>) {
        if let Some(report) = &mut self.report {
            report.answered(worker, answer);
            self.report_if_complete();
        }
    }

    pub(super) fn report_tick(&mut self) {
        if let Some(report) = &mut self.report {
            report.seconds += 1;
            self.report_if_complete();
        }
        let reports = &self.plan.config.reports;
        if let Some(file) = &reports.trigger_file
            && self.trigger.pulled(file, reports.trigger_interval_seconds)
        {
            self.begin_report();
        }
    }

    fn report_if_complete(&mut self) {
        let Some(report) = self.report.take_if(|report| report.complete()) else {
            return;
        };
        let mut processes = vec![std::process::id()];
        let mut workers = Vec::new();
        for service in &self.services {
            for (worker, child) in &service.workers {
                processes.push(child.process);
                workers.push((
                    child.process,
                    service.plan.api.name.clone(),
                    report.answers.get(worker).cloned(),
                ));
            }
        }
        let text = report::text(&Material {
            status: &self.view().status,
            config: &self.plan.config,
            tasks: tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks(),
            workers: &workers,
            processes: &processes
                .into_iter()
                .filter_map(look_at)
                .collect::<Vec<_>>(),
        });
        let directory = self.plan.config.reports.directory.clone();
        // Whoever reads our standard error may be slow.
        tokio::task::spawn_blocking(move || write(&text, directory.as_deref()));
    }
}

fn write(text: &str, directory: Option<&Path>) {
    let Some(directory) = directory else {
        let _ = io::stderr().write_all(text.as_bytes());
        return;
    };
    let file = directory.join(file_name(Timestamp::now()));
    match fs::write(&file, text) {
        Ok(()) => tracing::info!("Guru Meditation Report written to {}", file.display()),
        Err(error) => tracing::error!(
            "Unable to dump Guru Meditation Report to file {}: {error}",
            file.display()
        ),
    }
}

/// oslo.reports: `<service>_gurumeditation_<time>`.
fn file_name(now: Timestamp) -> PathBuf {
    format!(
        "kilonova-server_gurumeditation_{}",
        now.strftime("%Y%m%d%H%M%S")
    )
    .into()
}

fn look_at(process: u32) -> Option<Process> {
    parse(
        process,
        &fs::read_to_string(format!("/proc/{process}/status")).ok()?,
    )
}

fn parse(process: u32, status: &str) -> Option<Process> {
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
    let state = field("State:\t")?;
    Some(Process {
        process,
        parent: field("PPid:\t")?.parse().ok()?,
        user: field("Uid:\t")?.split('\t').next()?.parse().ok()?,
        state: state
            .split_once('(')
            .map_or(state, |(_, name)| name.trim_end_matches(')'))
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_for_all_it_asked_and_not_for_ever() {
        let mut report = Report {
            asked: [1, 2, 3].into(),
            ..Report::default()
        };
        report.answered(1, Some(WorkerReport::default()));
        report.answered(2, None);
        report.answered(9, Some(WorkerReport::default()));
        assert!(!report.complete());
        assert_eq!(report.answers.keys().collect::<Vec<_>>(), [&1]);
        report.seconds = 2;
        assert!(report.complete());
    }

    #[test]
    fn a_touch_pulls_the_trigger_once() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("report");
        fs::write(&file, "").unwrap();
        let mut trigger = Trigger::default();
        assert!(
            !trigger.pulled(&file, 2),
            "what it was before does not count"
        );
        fs::write(&file, "now").unwrap();
        assert!(!trigger.pulled(&file, 2), "only every other second");
        assert!(trigger.pulled(&file, 2));
        assert!(!trigger.pulled(&file, 1));
    }

    #[test]
    fn processes_are_shown_as_the_kernel_sees_them() {
        let status = "Name:\tkilonova-server\nState:\tS (sleeping)\nPPid:\t1\nUid:\t65532\t65532\t65532\t65532\n";
        let process = parse(7, status).unwrap();
        assert_eq!(
            (process.parent, process.user, process.state.as_str()),
            (1, 65532, "sleeping")
        );
        assert!(look_at(std::process::id()).is_some());
    }

    #[test]
    fn a_file_is_named_by_its_second() {
        let at = Timestamp::from_second(1_767_225_600).unwrap();
        assert_eq!(
            file_name(at).to_str(),
            Some("kilonova-server_gurumeditation_20260101000000")
        );
    }
}
