//! The plan as it stands in the status: steps with numbers that only rise, and hashes nobody can use twice.

use crate::api::{Effect, PlanItem, PlanState};
use crate::{Error, hash};

/// So many steps are kept, those that are not done among them.
const KEPT: usize = 8;

/// A step that is to be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The Deployment it is about.
    pub workload: String,
    /// Its APIs.
    pub api: String,
    /// What changes.
    pub what: String,
    /// What it does to running pods.
    pub effect: Effect,
    /// Pending or Waiting.
    pub state: PlanState,
    /// Whose change it is, and what it waits for.
    pub why: String,
    /// What there is, by hash.
    pub from: String,
    /// What there will be, by hash.
    pub to: String,
}

/// The plan of one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Ledger<'a> {
    uid: &'a str,
    old: &'a [PlanItem],
    next: i64,
}

impl<'a> Ledger<'a> {
    /// Goes on with the plan of the last status.
    pub fn new(uid: &'a str, old: &'a [PlanItem]) -> Self {
        let last = old.iter().map(|item| item.number).max().unwrap_or(0);
        Self {
            uid,
            old,
            next: last + 1,
        }
    }

    /// Number and hash of a step: those it has already, or the next ones.
    pub fn number(&mut self, need: &Need) -> Result<(i64, String), Error> {
        let open = self.old.iter().filter(|item| item.state != PlanState::Done);
        for item in open {
            if hash_of(self.uid, need, item.number)? == item.hash {
                return Ok((item.number, item.hash.clone()));
            }
        }
        let number = self.next;
        self.next += 1;
        Ok((number, hash_of(self.uid, need, number)?))
    }

    /// The plan with these steps in it. What waited and is not needed any more is gone; what was being done still is.
    pub fn with(&self, items: Vec<PlanItem>) -> Vec<PlanItem> {
        let again = |old: &PlanItem| items.iter().any(|item| item.number == old.number);
        let old = self
            .old
            .iter()
            .filter(|old| old.state != PlanState::Waiting && !again(old));
        let mut plan: Vec<PlanItem> = old.cloned().collect();
        plan.extend(items);
        plan.sort_by_key(|item| item.number);
        while plan.len() > KEPT
            && let Some(done) = plan.iter().position(|item| item.state == PlanState::Done)
        {
            plan.remove(done);
        }
        plan
    }
}

/// The steps that were being done are done where `settled` says so of their API.
pub fn settle(plan: &mut [PlanItem], settled: impl Fn(&str) -> bool) {
    for item in plan {
        if item.state == PlanState::Pending && settled(&item.api) {
            item.state = PlanState::Done;
        }
    }
}

fn hash_of(uid: &str, need: &Need, number: i64) -> Result<String, Error> {
    let parts = (uid, &need.workload, &need.from, &need.to, number);
    Ok(hash::of(&parts)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn need(workload: &str, from: &str, to: &str) -> Need {
        Need {
            workload: workload.to_owned(),
            api: workload.to_owned(),
            what: String::new(),
            effect: Effect::Roll,
            state: PlanState::Waiting,
            why: String::new(),
            from: from.to_owned(),
            to: to.to_owned(),
        }
    }

    fn item(number: i64, hash: &str, state: PlanState) -> PlanItem {
        PlanItem {
            number,
            api: format!("api-{number}"),
            what: String::new(),
            effect: Effect::Roll,
            state,
            why: String::new(),
            hash: hash.to_owned(),
        }
    }

    #[test]
    fn a_step_keeps_its_number_until_it_is_done() {
        let (number, hash) = Ledger::new("uid", &[])
            .number(&need("a", "1", "2"))
            .unwrap();
        assert_eq!(number, 1);
        for (state, expected) in [
            (PlanState::Waiting, 1),
            (PlanState::Pending, 1),
            (PlanState::Done, 2),
        ] {
            let old = [item(1, &hash, state)];
            let again = Ledger::new("uid", &old)
                .number(&need("a", "1", "2"))
                .unwrap();
            assert_eq!(again.0, expected, "{state:?}");
            assert_eq!(again.1 == hash, expected == 1);
        }
    }

    #[rstest]
    #[case::other_resource("other", need("a", "1", "2"))]
    #[case::other_api("uid", need("b", "1", "2"))]
    #[case::other_pods("uid", need("a", "0", "2"))]
    #[case::other_target("uid", need("a", "1", "3"))]
    fn a_hash_is_good_for_one_step_alone(#[case] uid: &str, #[case] other: Need) {
        let (_, hash) = Ledger::new("uid", &[])
            .number(&need("a", "1", "2"))
            .unwrap();
        assert_ne!(Ledger::new(uid, &[]).number(&other).unwrap().1, hash);
    }

    #[test]
    fn what_waited_and_is_not_needed_is_gone_and_the_rest_is_bounded() {
        let mut old: Vec<_> = (1..10)
            .map(|number| item(number, "", PlanState::Done))
            .collect();
        old.push(item(10, "", PlanState::Waiting));
        old.push(item(11, "", PlanState::Pending));
        let ledger = Ledger::new("uid", &old);
        let mut plan = ledger.with(vec![item(12, "", PlanState::Pending)]);
        let numbers = |plan: &[PlanItem]| plan.iter().map(|item| item.number).collect::<Vec<_>>();
        assert_eq!(numbers(&plan), [4, 5, 6, 7, 8, 9, 11, 12]);
        settle(&mut plan, |api| api == "api-11");
        assert_eq!(plan[6].state, PlanState::Done);
        assert_eq!(plan[7].state, PlanState::Pending);
    }
}
