//! Everything the operator may ask the API server for, and why. The chart's roles are made of this list, and the tests
//! hold every request against it.
//!
//! Reading what the API server can do (`/apis`, `/openapi`) needs no rule: every authenticated client may.

use std::fmt::Write;

/// Verbs for what is made: all but `update`, which an apply does not need.
const MADE: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permission {
    /// API group; empty for the core.
    pub group: &'static str,
    /// Resources, with subresources.
    pub resources: &'static [&'static str],
    /// What is done with them.
    pub verbs: &'static [&'static str],
    /// Why it is needed.
    pub why: &'static str,
    /// Where and when it is granted.
    pub grant: Grant,
}

/// Where and when a rule is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Where `ApiService`s are looked after.
    Always,
    /// There too, unless the chart's `refreshPods` is off.
    Refresh,
    /// In the operator's own namespace, with leader election: any object of the kind, for a new one has no name.
    Lease,
    /// There too: only the Lease it is called for.
    OwnLease,
}

/// The list.
pub const PERMISSIONS: &[Permission] = &[
    always(
        "kilonova.dev",
        &["novaapiservices"],
        &["get", "list", "watch"],
        "What is asked for.",
    ),
    always(
        "kilonova.dev",
        &["novaapiservices/status"],
        &["patch"],
        "The answer.",
    ),
    always("apps", &["deployments"], MADE, "The pods."),
    always(
        "apps",
        &["controllerrevisions"],
        &["list", "watch", "create", "patch", "delete"],
        "What each Deployment was given, to give it again while a change waits.",
    ),
    always(
        "apps",
        &["replicasets"],
        &["list"],
        "Settings are kept while one would start pods with them.",
    ),
    always(
        "",
        &["services", "configmaps", "serviceaccounts"],
        MADE,
        "What the pods need, and how they are reached. Of other ConfigMaps only metadata is watched.",
    ),
    always(
        "policy",
        &["poddisruptionbudgets"],
        MADE,
        "So that a drained node does not take all pods of an API.",
    ),
    always(
        "autoscaling",
        &["horizontalpodautoscalers"],
        MADE,
        "Where the number of pods is handed over.",
    ),
    always(
        "networking.k8s.io",
        &["networkpolicies"],
        MADE,
        "Who may connect to the pods.",
    ),
    always(
        "gateway.networking.k8s.io",
        &["httproutes", "tlsroutes"],
        MADE,
        "How a Gateway publishes an API, where the cluster has the Gateway API.",
    ),
    always(
        "cert-manager.io",
        &["certificates"],
        MADE,
        "Certificates, where the cluster has cert-manager.",
    ),
    always(
        "monitoring.coreos.com",
        &["podmonitors"],
        MADE,
        "Metrics, where the cluster has the Prometheus operator.",
    ),
    always(
        "",
        &["secrets"],
        &["get", "list", "watch"],
        "Only metadata is watched; those an ApiService names are read.",
    ),
    always(
        "",
        &["pods"],
        &["list", "watch"],
        "Why a pod does not start, and what it serves.",
    ),
    Permission {
        group: "",
        resources: &["pods"],
        verbs: &["patch"],
        why: "An annotation on a running pod makes the kubelet look at its volumes at once.",
        grant: Grant::Refresh,
    },
    always(
        "events.k8s.io",
        &["events"],
        &["create", "patch"],
        "What was done and why; the same again is a patch.",
    ),
    Permission {
        group: "coordination.k8s.io",
        resources: &["leases"],
        verbs: &["create"],
        why: "The first replica makes the Lease.",
        grant: Grant::Lease,
    },
    Permission {
        group: "coordination.k8s.io",
        resources: &["leases"],
        verbs: &["get", "update"],
        why: "Whoever holds it acts.",
        grant: Grant::OwnLease,
    },
];

const fn always(
    group: &'static str,
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
    why: &'static str,
) -> Permission {
    Permission {
        group,
        resources,
        verbs,
        why,
        grant: Grant::Always,
    }
}

/// The rules of a role, as YAML. `own` names the Lease of [`Grant::OwnLease`].
pub fn rules(grants: &[Grant], own: &str) -> String {
    let mut text = String::new();
    let granted = PERMISSIONS
        .iter()
        .filter(|permission| grants.contains(&permission.grant));
    for permission in granted {
        let group = match permission.group {
            "" => "\"\"",
            group => group,
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "# {}\n- apiGroups: [{group}]\n  resources: [{}]\n  verbs: [{}]",
            permission.why,
            permission.resources.join(", "),
            permission.verbs.join(", "),
        );
        if permission.grant == Grant::OwnLease {
            let _ = writeln!(text, "  resourceNames: [{own}]");
        }
    }
    text
}

/// Whether a request is granted.
pub fn allows(group: &str, resource: &str, verb: &str) -> bool {
    PERMISSIONS.iter().any(|permission| {
        permission.group == group
            && permission.resources.contains(&resource)
            && permission.verbs.contains(&verb)
    })
}
