//! What no rule of the schema can check, and the operator can.

use super::{Subject, Verdict};
use crate::desired::Desired;

pub(super) fn judge(desired: &Desired) -> Vec<Verdict> {
    let workloads = desired.workloads.iter();
    let problems = workloads.filter_map(|workload| {
        let api = workload.apis.first().copied();
        let first = workload.problems.first().cloned();
        api.zip(first).map(|(api, problem)| Verdict {
            problem: Some(problem),
            ..Verdict::new(api, Subject::Settings)
        })
    });
    problems.collect()
}
