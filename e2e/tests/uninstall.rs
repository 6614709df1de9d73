//! `helm uninstall` takes everything along but the CRD, with which everybody's resources would go.

#![cfg(test)]

use kilonova_e2e::cluster::{helm, kubectl};
use kilonova_e2e::namespace::PATIENCE;
use kilonova_probe::wait_within;

fn lines(arguments: &[&str]) -> Vec<String> {
    let output = kubectl(arguments);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(ToOwned::to_owned).collect()
}

/// Every object that carries the chart's label, of every kind there is.
fn of_the_chart() -> Vec<String> {
    let kinds = lines(&["api-resources", "--verbs=list", "-o", "name"]).join(",");
    lines(&[
        "get",
        &kinds,
        "-A",
        "-l",
        "app.kubernetes.io/managed-by=Helm,app.kubernetes.io/instance=kilonova",
        "-o",
        "name",
        "--ignore-not-found",
    ])
}

#[test]
fn only_the_crd_is_left() {
    let before = of_the_chart();
    assert!(
        before.iter().any(|name| name.contains("deployment")),
        "{before:?}"
    );
    let removed = helm(&[
        "uninstall",
        "kilonova",
        "--namespace",
        "kilonova-system",
        "--wait",
    ]);
    assert!(removed.status.success(), "{removed:?}");
    wait_within(PATIENCE, "everything to go", || {
        of_the_chart().is_empty().then_some(())
    });
    lines(&["get", "crd", "novaapiservices.kilonova.dev"]);
}
