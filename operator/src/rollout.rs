//! How far a Deployment has come.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus};

/// The numbers of a Deployment's pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rollout {
    /// Whether the Deployment's own controller has seen its latest generation.
    pub seen: bool,
    /// Pods asked for.
    pub desired: i32,
    /// Pods there are, of whatever generation.
    pub total: i32,
    /// Pods of the latest template.
    pub updated: i32,
    /// Pods that are ready.
    pub ready: i32,
    /// Pods that are available.
    pub available: i32,
}

impl Rollout {
    /// What a Deployment says of itself.
    pub fn of(deployment: &Deployment) -> Self {
        let none = DeploymentStatus::default();
        let status = deployment.status.as_ref().unwrap_or(&none);
        let desired = deployment
            .spec
            .as_ref()
            .and_then(|spec| spec.replicas)
            .unwrap_or(1);
        Self {
            seen: status.observed_generation >= deployment.metadata.generation,
            desired,
            total: status.replicas.unwrap_or(0),
            updated: status.updated_replicas.unwrap_or(0),
            ready: status.ready_replicas.unwrap_or(0),
            available: status.available_replicas.unwrap_or(0),
        }
    }

    /// Whether every pod there is runs the latest template and serves, and there are as many as asked for.
    pub fn is_complete(&self) -> bool {
        self.seen
            && self.updated == self.desired
            && self.available == self.desired
            && self.ready == self.desired
            && self.total == self.desired
    }
}

/// Why a Deployment's own controller gave up, if it did.
pub fn failure(deployment: &Deployment) -> Option<String> {
    let conditions = deployment.status.as_ref()?.conditions.as_ref()?;
    let failed = conditions.iter().find(|condition| {
        (condition.type_ == "Progressing"
            && condition.reason.as_deref() == Some("ProgressDeadlineExceeded"))
            || (condition.type_ == "ReplicaFailure" && condition.status == "True")
    })?;
    failed.message.clone().or_else(|| failed.reason.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn rollout(desired: i32, total: i32, updated: i32, available: i32) -> Rollout {
        Rollout {
            seen: true,
            desired,
            total,
            updated,
            ready: available,
            available,
        }
    }

    #[rstest]
    #[case(rollout(3, 3, 3, 3), true)]
    #[case(rollout(0, 0, 0, 0), true)]
    #[case(rollout(3, 4, 3, 3), false)] // an old pod is left
    #[case(rollout(3, 3, 2, 3), false)]
    #[case(rollout(3, 3, 3, 2), false)]
    #[case(rollout(1, 2, 2, 2), false)] // not yet scaled down
    #[case(Rollout { seen: false, ..rollout(3, 3, 3, 3) }, false)]
    fn complete_means_all_of_them(#[case] rollout: Rollout, #[case] expected: bool) {
        assert_eq!(rollout.is_complete(), expected);
    }

    #[test]
    fn a_deployment_without_status_has_not_been_seen() {
        let mut deployment = Deployment::default();
        deployment.metadata.generation = Some(1);
        assert!(!Rollout::of(&deployment).seen);
    }
}
