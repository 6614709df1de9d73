//! Whether pods may be replaced now.

use crate::api::UpdatePolicy;

/// All that counts.
// Independent facts, every combination of which occurs.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// What the user wants about it.
    pub policy: UpdatePolicy,
    /// The pods were given something else than they would be given now.
    pub differs: bool,
    /// The user's own changes alone would make them differ.
    pub by_user: bool,
    /// The user asked for new pods.
    pub restart: bool,
    /// A pod said after its deadline that it does not run what it should.
    pub overdue: bool,
    /// The user approved of what differs.
    pub approved: bool,
    /// The user approved of pods being replaced because one is overdue.
    pub replacement_approved: bool,
    /// What the next pod needs is not there.
    pub blocked: bool,
}

/// What is done.
// As above: they do not exclude each other.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The pods are given what is rendered now; otherwise what they were given last.
    pub renew: bool,
    /// The pods are replaced because the user asked for it.
    pub restart: bool,
    /// The pods are replaced because one does not take over what it should.
    pub replace: bool,
    /// Something waits for an approval.
    pub waits: bool,
}

/// Decides.
pub fn decide(facts: Facts) -> Decision {
    let free = facts.approved
        || match facts.policy {
            UpdatePolicy::Automatic => true,
            UpdatePolicy::OnSpecChange => facts.by_user,
            UpdatePolicy::Manual => false,
        };
    let may_replace = facts.replacement_approved || facts.policy != UpdatePolicy::Manual;
    let may = !facts.blocked;
    let renew = !facts.differs || (may && free);
    Decision {
        renew,
        restart: facts.restart && may,
        // New pods read everything anew anyway.
        replace: facts.overdue && may && may_replace && !(facts.differs && renew),
        waits: (facts.differs && !free) || (facts.overdue && !may_replace),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use UpdatePolicy::{Automatic, Manual, OnSpecChange};
    use rstest::rstest;

    const OPERATOR: Facts = Facts {
        policy: OnSpecChange,
        differs: true,
        by_user: false,
        restart: false,
        overdue: false,
        approved: false,
        replacement_approved: false,
        blocked: false,
    };
    const USER: Facts = Facts {
        by_user: true,
        ..OPERATOR
    };
    const SAME: Facts = Facts {
        differs: false,
        ..OPERATOR
    };
    const RESTART: Facts = Facts {
        restart: true,
        ..SAME
    };
    const OVERDUE: Facts = Facts {
        overdue: true,
        ..SAME
    };

    #[rstest]
    #[case::nothing(SAME, Manual, "renew")]
    #[case::user(USER, Automatic, "renew")]
    #[case::user(USER, OnSpecChange, "renew")]
    #[case::user(USER, Manual, "waits")]
    #[case::operator(OPERATOR, Automatic, "renew")]
    #[case::operator(OPERATOR, OnSpecChange, "waits")]
    #[case::operator(OPERATOR, Manual, "waits")]
    #[case::approved(Facts { approved: true, ..OPERATOR }, OnSpecChange, "renew")]
    #[case::approved(Facts { approved: true, ..USER }, Manual, "renew")]
    #[case::restart(RESTART, Manual, "renew restart")]
    #[case::restart_beside_a_held_change(Facts { restart: true, ..OPERATOR }, OnSpecChange, "restart waits")]
    #[case::overdue(OVERDUE, Automatic, "renew replace")]
    #[case::overdue(OVERDUE, OnSpecChange, "renew replace")]
    #[case::overdue(OVERDUE, Manual, "renew waits")]
    #[case::overdue_approved(Facts { replacement_approved: true, ..OVERDUE }, Manual, "renew replace")]
    #[case::other_approved(Facts { approved: true, ..OVERDUE }, Manual, "renew waits")]
    #[case::overdue_beside_a_held_change(Facts { overdue: true, ..OPERATOR }, OnSpecChange, "replace waits")]
    #[case::overdue_beside_a_change(Facts { overdue: true, ..USER }, OnSpecChange, "renew")]
    #[case::blocked(Facts { blocked: true, ..USER }, Automatic, "")]
    #[case::blocked(Facts { blocked: true, ..RESTART }, Automatic, "renew")]
    #[case::blocked(Facts { blocked: true, ..OVERDUE }, Automatic, "renew")]
    fn the_policies(#[case] facts: Facts, #[case] policy: UpdatePolicy, #[case] expected: &str) {
        let decision = decide(Facts { policy, ..facts });
        let said = [
            (decision.renew, "renew"),
            (decision.restart, "restart"),
            (decision.replace, "replace"),
            (decision.waits, "waits"),
        ];
        let said: Vec<&str> = said
            .into_iter()
            .filter(|(is, _)| *is)
            .map(|(_, word)| word)
            .collect();
        assert_eq!(said.join(" "), expected);
    }
}
