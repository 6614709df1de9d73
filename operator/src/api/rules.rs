//! What the API server refuses, and what it says then.
//!
//! Rules stand as deep in the schema as they can: a rule on the whole spec that is added later would block every change
//! of objects that break it already. Messages name the field and the way out. `messageExpression` and `format` are out:
//! they cost more than the API server allows.

use kilonova_config::http::RANGES;
use kilonova_config::{ADMIN_PORT, MAX_WORKERS, api};
use kube::core::{Reason, Rule};

const MAX_SECONDS: i32 = 86_400;
const MAX_REPLICAS: i32 = 10_000;
const MAX_DRAIN_DELAY_SECONDS: i32 = 3_600;
const MAX_DATABASE_CONNECTIONS: i32 = 10_000;

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

/// Nothing outside the pod reaches a loopback address, so there is nothing to publish.
pub fn service_is_reachable(field: &str) -> Rule {
    Rule::new(format!(
        "!has(self.{field}) || !has(self.listen) || !isIP(self.listen) || !ip(self.listen).isLoopback()"
    ))
    .message(
        format!(
            "an API that listens on a loopback address is reached from its own pod only and has no Service: remove \
             {field}, or listen on 0.0.0.0 or ::"
        )
        .as_str(),
    )
    .reason(Reason::FieldValueForbidden)
    .field_path(format!(".{field}"))
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
pub fn secret_key(field: &str) -> Rule {
    Rule::new("self.matches('^[-._a-zA-Z0-9]+$') && self != '.' && !self.startsWith('..')").message(
        format!(
            "{field} must be a key of a Secret: letters, digits, '-', '_' and '.', not beginning with '..'"
        )
        .as_str(),
    )
}

/// Client certificates are checked against something.
pub fn client_auth_has_ca() -> Rule {
    Rule::new("has(self.caSecretName)")
        .message("clientAuth needs caSecretName: the Secret with the CA that signs the clients' certificates")
        .reason(Reason::FieldValueRequired)
        .field_path(".caSecretName")
}

/// A number of an API's `http`, within the range the server states.
pub fn of_http(field: &str) -> Rule {
    let range = RANGES.iter().find(|(name, ..)| *name == field);
    let (least, most) = range.map_or((0, u32::MAX), |(_, least, most)| (*least, *most));
    Rule::new(format!("self >= {least} && self <= {most}"))
        .message(format!("{field} must be {least} to {most}").as_str())
}

/// A network, not a single address.
pub fn is_network() -> Rule {
    Rule::new("isCIDR(self)").message("a network is written as 10.0.0.0/8 or fd00::/8; a single address as 10.0.0.5/32 or fd00::5/128")
}

/// Whoever may write the PROXY header can be anybody.
pub fn proxies_are_named() -> Rule {
    Rule::new("self.proxyProtocol != 'V1V2' || (has(self.trustedProxies) && self.trustedProxies.size() > 0)")
        .message(
            "with proxyProtocol V1V2 anyone could claim any address: name in trustedProxies the networks of the load \
             balancers that send the header",
        )
        .reason(Reason::FieldValueRequired)
        .field_path(".trustedProxies")
}

/// A duration in which nothing but waiting is done.
pub fn drain_delay() -> Rule {
    Rule::new(format!("self >= 0 && self <= {MAX_DRAIN_DELAY_SECONDS}")).message(
        format!("drainDelaySeconds must be 0 to {MAX_DRAIN_DELAY_SECONDS} (an hour)").as_str(),
    )
}

/// A number of a probe.
pub fn probe(field: &str, most: i32) -> Rule {
    Rule::new(format!("self >= 1 && self <= {most}"))
        .message(format!("{field} must be 1 to {most}").as_str())
}

/// A pod without a connection would wait for ever.
pub fn database_connections() -> Rule {
    Rule::new(format!("self >= 1 && self <= {MAX_DATABASE_CONNECTIONS}"))
        .message(format!("maxConnectionsPerPod must be 1 to {MAX_DATABASE_CONNECTIONS}").as_str())
}

/// `field` means something to load balancers only.
pub fn load_balancer_only(field: &str) -> Rule {
    Rule::new(format!("!has(self.{field}) || self.type == 'LoadBalancer'"))
        .message(
            format!(
                "{field} is for Services of the type LoadBalancer: remove it, or set service.type"
            )
            .as_str(),
        )
        .reason(Reason::FieldValueForbidden)
        .field_path(format!(".{field}"))
}

/// `field` means something only where connections come from outside.
pub fn published_only(field: &str) -> Rule {
    Rule::new(format!("!has(self.{field}) || self.type != 'ClusterIP'"))
        .message(
            format!(
                "{field} is for Services of the types NodePort and LoadBalancer: remove it, or set service.type"
            )
            .as_str(),
        )
        .reason(Reason::FieldValueForbidden)
        .field_path(format!(".{field}"))
}

/// A bound of autoscaling. At 0 a `HorizontalPodAutoscaler` stops looking.
pub fn scaling_limit(field: &str) -> Rule {
    Rule::new(format!("self >= 1 && self <= {MAX_REPLICAS}"))
        .message(format!("{field} must be 1 to {MAX_REPLICAS}").as_str())
}

/// A target above what is requested is possible.
pub fn percentage() -> Rule {
    Rule::new("self >= 1 && self <= 1000").message(
        "targetCPUUtilizationPercentage must be 1 to 1000 percent of resources.requests.cpu",
    )
}

/// Somebody must decide.
pub fn scaled_by_something() -> Rule {
    Rule::new("self.external || has(self.targetCPUUtilizationPercentage) || (has(self.metrics) && self.metrics.size() > 0)")
        .message(
            "autoscaling needs to know by what: set targetCPUUtilizationPercentage or metrics, or external: true if \
             somebody else scales the Deployment",
        )
        .reason(Reason::FieldValueRequired)
}

/// Two autoscalers fight.
pub fn external_scales_alone() -> Rule {
    Rule::new(
        "!self.external || !(has(self.minReplicas) || has(self.maxReplicas) || \
         has(self.targetCPUUtilizationPercentage) || has(self.metrics))",
    )
    .message(
        "with external: true somebody else scales the Deployment: remove minReplicas, maxReplicas, \
         targetCPUUtilizationPercentage and metrics, or remove external",
    )
    .reason(Reason::FieldValueForbidden)
    .field_path(".external")
}

/// A `HorizontalPodAutoscaler` cannot be without.
pub fn scaling_has_a_limit() -> Rule {
    Rule::new("self.external || has(self.maxReplicas)")
        .message("autoscaling needs maxReplicas: the most pods it may make")
        .reason(Reason::FieldValueRequired)
        .field_path(".maxReplicas")
}

/// From few to many.
pub fn scaling_limits_are_ordered() -> Rule {
    Rule::new(
        "!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas",
    )
    .message("minReplicas must not be more than maxReplicas")
    .field_path(".minReplicas")
}

/// The number of pods has one owner.
pub fn count_is_fixed_or_scaled() -> Rule {
    Rule::new("!has(self.replicas) || !has(self.autoscaling)")
        .message(
            "replicas and autoscaling exclude each other: remove replicas, or remove autoscaling",
        )
        .reason(Reason::FieldValueForbidden)
        .field_path(".replicas")
}

/// A Gateway that cannot look into a connection chooses by the name in its handshake.
pub fn passthrough_has_names() -> Rule {
    Rule::new(
        "!has(self.tls) || !has(self.gateway) || (has(self.gateway.hostnames) && self.gateway.hostnames.size() > 0)",
    )
    .message(
        "where TLS ends in the pods the Gateway chooses by the name in the handshake: name the API's in \
         gateway.hostnames, or remove tls and let the Gateway end it",
    )
    .reason(Reason::FieldValueRequired)
    .field_path(".gateway")
}

/// Each pod would have a database of its own.
pub fn sqlite_is_one_pod() -> Rule {
    Rule::new(
        "has(self.database) || (!has(self.autoscaling) && (self.podLayout == 'Combined' ? self.replicas <= 1 : \
         self.apis.size() == 1 && self.apis.all(a, !has(a.autoscaling) && \
         (has(a.replicas) ? a.replicas : self.replicas) <= 1)))",
    )
    .message(
        "without spec.database the pod has a SQLite database of its own, so there can be one pod only: name the Secret \
         of a PostgreSQL or MySQL database in spec.database, or set replicas to 1, remove autoscaling, and run both \
         APIs with podLayout: Combined",
    )
    .reason(Reason::FieldValueRequired)
    .field_path(".database")
}

/// A share of nothing cannot be computed. Kubernetes takes a limit for the request that is missing.
pub fn cpu_is_requested() -> Rule {
    let requested = |of: &str| {
        format!(
            "(has({of}.resources) && ((has({of}.resources.requests) && 'cpu' in {of}.resources.requests) || \
             (has({of}.resources.limits) && 'cpu' in {of}.resources.limits)))"
        )
    };
    let targets = |of: &str| {
        format!("(has({of}.autoscaling) && has({of}.autoscaling.targetCPUUtilizationPercentage))")
    };
    let (own, all) = (requested("a"), requested("self"));
    Rule::new(format!(
        "self.apis.all(a, !(has(a.autoscaling) ? {} : !has(a.replicas) && {}) || (has(a.resources) ? {own} : {all}))",
        targets("a"),
        targets("self")
    ))
    .message(
        "targetCPUUtilizationPercentage is a share of the CPU the pods request: set resources.requests.cpu, at the API \
         or at spec.resources",
    )
    .reason(Reason::FieldValueRequired)
    .field_path(".apis")
}

/// cert-manager would write one Secret for two Certificates, in turns.
pub fn certificates_have_secrets() -> Rule {
    let asked = |item: &str| format!("has({item}.tls) && has({item}.tls.certificate)");
    Rule::new(format!(
        "self.apis.all(a, !({}) || self.apis.exists_one(b, {} && b.tls.secretName == a.tls.secretName))",
        asked("a"),
        asked("b")
    ))
    .message(
        "two Certificates would write one Secret in turns: give each spec.apis[].tls.certificate its own secretName, or \
         let one API ask for it and the other only name it",
    )
    .field_path(".apis")
}
