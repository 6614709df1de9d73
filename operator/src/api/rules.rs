//! What the API server refuses, and what it says then.
//!
//! Rules stand as deep in the schema as they can: a rule on the whole spec that is added later would block every change
//! of objects that break it already. Messages name the field and the way out. `messageExpression` and `format` are out:
//! they cost more than the API server allows.

use kilonova_config::{ADMIN_PORT, MAX_WORKERS, api};
use kube::core::{Reason, Rule};

const MAX_SECONDS: i32 = 86_400;
const MAX_REPLICAS: i32 = 10_000;

/// Names of children are `<name>-osapi-compute` at the longest, and a Service's name has 63 characters at most.
pub fn name_fits() -> Rule {
    Rule::new("self.metadata.name.size() <= 49").message(
        "metadata.name is longer than 49 characters: children such as the Service '<name>-osapi-compute' would not fit \
         in 63; choose a shorter name",
    )
}

/// Services are named after the resource.
pub fn name_is_label() -> Rule {
    Rule::new("self.metadata.name.matches('^[a-z][a-z0-9-]*$')").message(
        "metadata.name must be lower-case letters, digits and '-', beginning with a letter (no dots): Services are \
         named after it",
    )
}

/// In one pod two APIs cannot listen on one port.
pub fn ports_differ() -> Rule {
    let port = |item: &str| {
        format!(
            "(has({item}.port) ? {item}.port : {item}.name == '{}' ? {} : {})",
            api::METADATA,
            api::default_port(api::METADATA),
            api::default_port(api::OSAPI_COMPUTE)
        )
    };
    let (one, other) = (port("a"), port("b"));
    Rule::new(format!(
        "self.podLayout != 'Combined' || self.apis.all(a, self.apis.exists_one(b, {one} == {other}))"
    ))
    .message(
        "with podLayout Combined every API needs its own port: give each spec.apis[].port another number (absent: \
         osapi_compute 8774, metadata 8775), or use podLayout: PerApi",
    )
    .field_path(".apis")
}

/// `field` of an API describes its pods, which are shared with Combined.
pub fn pods_are_shared(field: &str) -> Rule {
    Rule::new(format!(
        "self.podLayout != 'Combined' || self.apis.all(a, !has(a.{field}))"
    ))
    .message(format!(
        "with podLayout Combined all APIs share their pods: set spec.{field} instead of spec.apis[].{field}, or use \
         podLayout: PerApi"
    ).as_str())
    .reason(Reason::FieldValueForbidden)
    .field_path(".apis")
}

/// Nothing outside the pod reaches a loopback address.
pub fn service_is_reachable() -> Rule {
    Rule::new("!has(self.service) || !has(self.listen) || !isIP(self.listen) || !ip(self.listen).isLoopback()")
        .message(
            "an API that listens on a loopback address is reached from its own pod only and has no Service: remove \
             service, or listen on 0.0.0.0 or ::",
        )
        .reason(Reason::FieldValueForbidden)
        .field_path(".service")
}

/// `listen` is an address.
pub fn is_address() -> Rule {
    Rule::new("isIP(self)")
        .message("listen must be an IP address such as 0.0.0.0, ::, or 10.0.0.5, not a host name")
}

/// A TCP port.
pub fn port_in_range(field: &str) -> Rule {
    Rule::new("self >= 1 && self <= 65535").message(format!("{field} must be 1 to 65535").as_str())
}

/// The admin endpoints have a port of their own.
pub fn port_is_free() -> Rule {
    Rule::new(format!("self != {ADMIN_PORT}")).message(
        format!(
            "{ADMIN_PORT} is the pods' admin port (probes, metrics, status): choose another port"
        )
        .as_str(),
    )
}

/// nova: "`<name>_workers` value of `<n>` is invalid, must be greater than 0".
pub fn workers() -> Rule {
    Rule::new(format!("self >= 1 && self <= {MAX_WORKERS}")).message(
        format!(
            "workers must be 1 or more, and at most {MAX_WORKERS}; leave it out for one per CPU of the container's quota"
        )
        .as_str(),
    )
}

/// A number of pods.
pub fn replicas() -> Rule {
    Rule::new(format!("self >= 0 && self <= {MAX_REPLICAS}"))
        .message(format!("replicas must be 0 to {MAX_REPLICAS}; 0 stops the API").as_str())
}

/// A duration that may be endless.
pub fn seconds(field: &str) -> Rule {
    Rule::new(format!("self >= 0 && self <= {MAX_SECONDS}"))
        .message(format!("{field} must be 0 (wait for ever) to {MAX_SECONDS} (a day)").as_str())
}

/// The name becomes part of a URL and of a volume.
pub fn secret_name(field: &str) -> Rule {
    Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')").message(
        format!(
            "{field} must be the name of a Secret in the same namespace: lower-case letters, digits, '-' and '.', \
             beginning and ending with a letter or digit"
        )
        .as_str(),
    )
}

/// The key becomes a file name.
pub fn ca_key() -> Rule {
    Rule::new("self.matches('^[-._a-zA-Z0-9]+$') && self != '.' && !self.startsWith('..')")
        .message("caKey must be a key of a Secret: letters, digits, '-', '_' and '.', not beginning with '..'")
}

/// Client certificates are checked against something.
pub fn client_auth_has_ca() -> Rule {
    Rule::new("has(self.caSecretName)")
        .message("clientAuth needs caSecretName: the Secret with the CA that signs the clients' certificates")
        .reason(Reason::FieldValueRequired)
        .field_path(".caSecretName")
}
