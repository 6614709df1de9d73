//! Whether a child may be written, and whether it needs to be.

use std::collections::HashMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt};

use crate::api::ApiService;
use crate::cluster::Child;
use crate::desired::Workload;
use crate::names::{OPERATOR, REPLICAS_MANAGER};
use crate::observed;

/// What is to be done with a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// There is nothing of that name.
    Create,
    /// It is ours and may differ.
    Apply {
        /// Uid of the object that was judged; no other may be written.
        uid: Option<String>,
    },
    /// It is as we left it.
    Nothing,
    /// It may not be written.
    Blocked(Obstacle),
}

/// Why something could not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// Reason, for conditions and Events.
    pub reason: &'static str,
    /// Names the object and the way out.
    pub message: String,
    /// Whether it stays until somebody does something.
    pub stalls: bool,
}

impl Obstacle {
    /// The API server refused the content of a child.
    pub fn refused<K: Child>(wanted: &K, refusal: &str) -> Self {
        Self {
            reason: "ChildRefused",
            message: format!("the API server refuses {}: {refusal}", title(wanted)),
            stalls: true,
        }
    }
}

/// What was last applied in this process: an idle reconcile applies nothing.
#[derive(Clone, Debug, Default)]
pub struct Applied(HashMap<String, (String, Option<String>)>);

impl Applied {
    /// `object` is how the API server holds what has this hash.
    pub fn note<K: Child>(&mut self, object: &K, hash: String) {
        self.0
            .insert(title(object), (hash, object.resource_version()));
    }

    /// Forgets what is not there any more.
    pub fn forget<K: Child>(&mut self, object: &K) {
        self.0.remove(&title(object));
    }

    fn holds<K: Child>(&self, object: &K, hash: &str) -> bool {
        self.0
            .get(&title(object))
            .is_some_and(|(applied, version)| {
                applied == hash && *version == object.resource_version()
            })
    }
}

/// What is to be done to get from `held` to the child with this hash.
pub fn decide<K: Child>(
    service: &ApiService,
    held: Option<&K>,
    hash: &str,
    applied: &Applied,
) -> Decision {
    let Some(held) = held else {
        return Decision::Create;
    };
    if !observed::is_own(service, held) {
        return Decision::Blocked(foreign(service, held));
    }
    if held.meta().deletion_timestamp.is_some() {
        return Decision::Blocked(Obstacle {
            reason: "WaitingForDeletion",
            message: format!(
                "{} is being deleted; it is made anew when it is gone",
                title(held)
            ),
            stalls: false,
        });
    }
    if applied.holds(held, hash) {
        return Decision::Nothing;
    }
    Decision::Apply { uid: held.uid() }
}

/// The number of pods the second field manager has to apply, if it has to.
pub fn count(workload: &Workload, deployment: &Deployment) -> Option<i32> {
    let found = deployment.spec.as_ref().and_then(|spec| spec.replicas);
    if workload.handed_over {
        // A number that the first manager owns is set to 1 as soon as that one does not carry it.
        return found.filter(|_| {
            owns_replicas(deployment, OPERATOR) && !owns_replicas(deployment, REPLICAS_MANAGER)
        });
    }
    let settled = found == Some(workload.replicas) && owns_replicas(deployment, REPLICAS_MANAGER);
    (!settled).then_some(workload.replicas)
}

fn owns_replicas(deployment: &Deployment, manager: &str) -> bool {
    deployment.managed_fields().iter().any(|entry| {
        entry.manager.as_deref() == Some(manager)
            && entry.operation.as_deref() == Some("Apply")
            && entry
                .fields_v1
                .as_ref()
                .is_some_and(|fields| fields.0.pointer("/f:spec/f:replicas").is_some())
    })
}

/// Kind and name of an object, as people write it.
pub(crate) fn title<K: Child>(object: &K) -> String {
    format!("{} {}", K::kind(&()), object.name_any())
}

fn foreign<K: Child>(service: &ApiService, held: &K) -> Obstacle {
    let owner = held
        .owner_references()
        .iter()
        .find(|owner| owner.controller == Some(true));
    let ours = |owner: &&OwnerReference| {
        owner.kind == ApiService::kind(&())
            && owner.name == service.name_any()
            && owner.api_version == ApiService::api_version(&())
    };
    if owner.as_ref().is_some_and(ours) {
        return Obstacle {
            reason: "WaitingForDeletion",
            message: format!(
                "{} of a deleted ApiService of the same name is still there",
                title(held)
            ),
            stalls: false,
        };
    }
    let holder = owner.map_or_else(
        || "was not made by this ApiService".to_owned(),
        |owner| format!("belongs to {} {}", owner.kind, owner.name),
    );
    Obstacle {
        reason: "NameTaken",
        message: format!(
            "{} exists in namespace {} and {holder}: it is left alone; delete or rename it, \
             or give this ApiService another name",
            title(held),
            held.namespace().unwrap_or_default()
        ),
        stalls: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Service;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
    use k8s_openapi::jiff::Timestamp;
    use rstest::rstest;

    fn nova() -> ApiService {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "kilonova.dev/v1alpha1", "kind": "ApiService",
            "metadata": {"name": "nova", "namespace": "cloud", "uid": "one"}, "spec": {"apis": []}
        }))
        .unwrap()
    }

    fn child(owner: Option<(&str, &str, &str)>) -> Service {
        let reference = |(kind, name, uid): (&str, &str, &str)| OwnerReference {
            api_version: "kilonova.dev/v1alpha1".to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            uid: uid.to_owned(),
            controller: Some(true),
            block_owner_deletion: None,
        };
        Service {
            metadata: ObjectMeta {
                name: Some("nova-metadata".to_owned()),
                namespace: Some("cloud".to_owned()),
                uid: Some("child".to_owned()),
                resource_version: Some("7".to_owned()),
                owner_references: owner.map(|owner| vec![reference(owner)]),
                ..ObjectMeta::default()
            },
            ..Service::default()
        }
    }

    fn own() -> Service {
        child(Some(("ApiService", "nova", "one")))
    }

    #[test]
    fn what_is_absent_is_created() {
        assert_eq!(
            decide::<Service>(&nova(), None, "h", &Applied::default()),
            Decision::Create
        );
    }

    #[test]
    fn what_is_ours_is_applied_until_it_is_as_we_left_it() {
        let mut applied = Applied::default();
        let apply = Decision::Apply {
            uid: Some("child".to_owned()),
        };
        assert_eq!(decide(&nova(), Some(&own()), "h", &applied), apply);
        applied.note(&own(), "h".to_owned());
        assert_eq!(
            decide(&nova(), Some(&own()), "h", &applied),
            Decision::Nothing
        );
        assert_eq!(decide(&nova(), Some(&own()), "other", &applied), apply);
        let mut touched = own();
        touched.metadata.resource_version = Some("8".to_owned());
        assert_eq!(decide(&nova(), Some(&touched), "h", &applied), apply);
    }

    #[rstest]
    #[case(None, "NameTaken", true)]
    #[case(Some(("Helm", "nova", "x")), "NameTaken", true)]
    #[case(Some(("ApiService", "other", "x")), "NameTaken", true)]
    #[case(Some(("ApiService", "nova", "zero")), "WaitingForDeletion", false)]
    fn what_is_not_ours_is_left_alone(
        #[case] owner: Option<(&str, &str, &str)>,
        #[case] reason: &str,
        #[case] stalls: bool,
    ) {
        let Decision::Blocked(obstacle) =
            decide(&nova(), Some(&child(owner)), "h", &Applied::default())
        else {
            panic!("not blocked");
        };
        assert_eq!((obstacle.reason, obstacle.stalls), (reason, stalls));
        assert!(
            obstacle.message.starts_with("Service nova-metadata "),
            "{}",
            obstacle.message
        );
    }

    #[test]
    fn what_is_being_deleted_is_waited_for() {
        let mut going = own();
        going.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        let decision = decide(&nova(), Some(&going), "h", &Applied::default());
        assert!(
            matches!(decision, Decision::Blocked(obstacle) if obstacle.reason == "WaitingForDeletion")
        );
    }
}
