//! docs/nova-parity.md: every behaviour of nova has a verdict, and every promise a test.

use std::collections::BTreeMap;

use crate::repository;
use crate::table::{Row, quoted, rows};

const DOCUMENT: &str = "docs/nova-parity.md";

/// The verdict of a row and what is said with it.
fn verdict(row: &Row) -> (&str, &str) {
    let cell = row.cell("verdict");
    let (verdict, why) = cell.split_once(':').unwrap_or((cell, ""));
    (verdict, why.trim())
}

/// Everything that is wrong with a row.
fn faults(row: &Row) -> Vec<String> {
    let mut faults = Vec::new();
    if row.cell("nova").is_empty() || row.cell("here").is_empty() {
        faults.push("an empty cell".to_owned());
    }
    let tests: Vec<_> = quoted(row.cell("test")).collect();
    match verdict(row) {
        ("same", _) | ("better", "") if tests.is_empty() => faults.push("no test".to_owned()),
        ("better" | "dropped", "") => faults.push("no reason".to_owned()),
        ("same" | "better", _) if tests.is_empty() => faults.push("no test".to_owned()),
        ("same" | "better" | "dropped", _) => {}
        (other, _) => faults.push(format!("no verdict: '{other}'")),
    }
    faults.extend(tests.into_iter().filter_map(repository::missing));
    faults
}

#[test]
fn every_row_has_a_verdict_and_its_tests_exist() {
    let document = repository::text(DOCUMENT);
    let rows = rows(&document);
    let faults: Vec<_> = rows
        .iter()
        .flat_map(|row| {
            let name = format!("{}: {}", row.section, row.cell("nova"));
            faults(row)
                .into_iter()
                .map(move |fault| format!("{name}: {fault}"))
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));

    let mut counts = BTreeMap::new();
    for row in &rows {
        *counts.entry(verdict(row).0).or_insert(0) += 1;
    }
    let count = |verdict| counts.get(verdict).copied().unwrap_or(0);
    let said = format!(
        "{} behaviours: {} the same, {} better, {} dropped.",
        rows.len(),
        count("same"),
        count("better"),
        count("dropped"),
    );
    println!("{said}");
    assert!(
        document.contains(&said),
        "{DOCUMENT} should begin with: {said}"
    );
}

#[test]
fn what_is_wrong_with_a_row_is_found() {
    let good = "`parity::verdicts::what_is_wrong_with_a_row_is_found`";
    for (verdict, test, expected) in [
        ("same", good, None),
        ("better: faster", good, None),
        ("dropped: nobody used it", "", None),
        ("same", "", Some("no test")),
        ("better: faster", "", Some("no test")),
        ("better", good, Some("no reason")),
        ("dropped", "", Some("no reason")),
        ("alike", good, Some("no verdict")),
        (
            "same",
            "`parity::verdicts::gone`",
            Some("there is no test gone"),
        ),
    ] {
        let text = format!(
            "| nova | here | verdict | test |\n|---|---|---|---|\n| a | b | {verdict} | {test} |"
        );
        let faults = faults(&rows(&text)[0]);
        match expected {
            None => assert!(faults.is_empty(), "{text}: {faults:?}"),
            Some(fault) => assert!(
                faults.len() == 1 && faults[0].starts_with(fault),
                "{text}: {faults:?}"
            ),
        }
    }
}
