//! The Deployment. It never carries `replicas`: those belong to the second field manager.

use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Part, Release, pod};
use crate::names;

/// Old `ReplicaSet`s that are kept to go back to, with the settings they were built with.
const REVISION_HISTORY_LIMIT: i32 = 3;
/// Seconds without progress after which a rollout counts as failed: well beyond what a pod may take to start.
const PROGRESS_DEADLINE_SECONDS: i32 = 600;

pub(super) fn deployment(part: &Part<'_>, release: &Release, cold: &str, live: &str) -> Deployment {
    Deployment {
        metadata: part.metadata(part.name()),
        spec: Some(DeploymentSpec {
            selector: LabelSelector {
                match_labels: Some(names::selector(&part.instance(), part.component)),
                ..LabelSelector::default()
            },
            template: pod::template(part, release, cold, live),
            strategy: Some(strategy(part)),
            revision_history_limit: Some(REVISION_HISTORY_LIMIT),
            progress_deadline_seconds: Some(PROGRESS_DEADLINE_SECONDS),
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}

/// A database in the pod has one pod: the old one goes first.
fn strategy(part: &Part<'_>) -> DeploymentStrategy {
    if part.service.spec.database.is_none() {
        return DeploymentStrategy {
            type_: Some("Recreate".to_owned()),
            rolling_update: None,
        };
    }
    DeploymentStrategy {
        type_: Some("RollingUpdate".to_owned()),
        rolling_update: Some(RollingUpdateDeployment {
            max_unavailable: Some(IntOrString::Int(0)),
            max_surge: Some(IntOrString::Int(1)),
        }),
    }
}
