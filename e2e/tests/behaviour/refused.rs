//! What `kubectl apply` prints for a resource that cannot be served.

use kilonova_e2e::Cluster;
use kilonova_e2e::cluster::apply;

/// Name, spec and the message, which names the field and the way out.
const REFUSED: &[(&str, &str, &str)] = &[
    (
        "nova",
        "apis: [{name: osapi_compute, workers: 0}]",
        "spec.apis[0].workers: Invalid value: 0: workers must be 1 or more",
    ),
    (
        "nova",
        "apis: [{name: osapi_compute, port: 70000}]",
        "spec.apis[0].port: Invalid value: 70000: port must be 1 to 65535",
    ),
    (
        "nova",
        "apis: [{name: osapi_compute, port: 9774}]",
        "spec.apis[0].port: Invalid value: 9774: 9774 is the pods' admin port",
    ),
    (
        "nova",
        "apis: [{name: ec2}]",
        "spec.apis[0].name: Unsupported value: \"ec2\": supported values: \"osapi_compute\", \"metadata\"",
    ),
    (
        "nova",
        "apis: [{name: metadata}, {name: metadata}]",
        "spec.apis[1]: Duplicate value: {\"name\":\"metadata\"}",
    ),
    (
        "nova",
        "{podLayout: Combined, apis: [{name: osapi_compute, port: 8775}, {name: metadata}]}",
        "spec.apis: Invalid value: with podLayout Combined every API needs its own port",
    ),
    (
        "nova",
        "apis: [{name: osapi_compute, tls: {secretName: a, clientAuth: {mode: Required}}}]",
        "spec.apis[0].tls.clientAuth.caSecretName: Required value: clientAuth needs caSecretName",
    ),
    (
        "nova",
        "apis: [{name: osapi_compute, listen: localhost}]",
        "spec.apis[0].listen: Invalid value: \"localhost\": listen must be an IP address",
    ),
    (
        "a-name-that-is-longer-than-forty-nine-characters-is",
        "apis: [{name: osapi_compute}]",
        "metadata.name is longer than 49 characters",
    ),
    (
        "nova.prod",
        "apis: [{name: osapi_compute}]",
        "metadata.name must be lower-case letters, digits and '-', beginning with a letter (no dots)",
    ),
    (
        "nova",
        "{podLayout: Combined, apis: [{name: osapi_compute, replicas: 2}]}",
        "with podLayout Combined all APIs share their pods: set spec.replicas instead of spec.apis[].replicas",
    ),
    (
        "nova",
        "{gracefulShutdownTimeoutSeconds: -1, apis: [{name: osapi_compute}]}",
        "spec.gracefulShutdownTimeoutSeconds: Invalid value: -1",
    ),
    (
        "nova",
        "{imagePullSecrets: [{name: a}, {name: a}], apis: [{name: osapi_compute}]}",
        "spec.imagePullSecrets[1]: Duplicate value: {\"name\":\"a\"}",
    ),
    (
        "nova",
        "apis: []",
        "spec.apis: Invalid value: 0: spec.apis in body should have at least 1 items",
    ),
    (
        "nova",
        "apis: [{name: osapi_compute, wrokers: 2}]",
        "strict decoding error: unknown field \"spec.apis[0].wrokers\"",
    ),
];

#[test]
fn kubectl_apply_says_which_field_and_what_to_do() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("refused");
    for (name, spec, message) in REFUSED {
        let manifest = format!(
            "apiVersion: kilonova.dev/v1alpha1\nkind: ApiService\nmetadata: {{name: {name}, namespace: {}}}\nspec:\n  {}\n",
            namespace.name,
            if spec.starts_with('{') {
                (*spec).to_owned()
            } else {
                format!("{{{spec}}}")
            },
        );
        let output = apply(&[], &manifest);
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "accepted: {spec}");
        assert!(
            printed.contains(message),
            "{spec}\nexpected: {message}\nprinted:  {printed}"
        );
        println!("{spec}\n  {}", printed.trim());
    }
}
