//! The configuration: the documents an operator writes, and what people make of them.

use std::fs;

use kilonova_config::{Error, Loaded, merge, parse, read, split};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::bytes::edited;
use crate::cases;

const SAMPLES: &[&str] = &[
    "apis:\n- name: osapi_compute\n  listen: '::'\n  port: 8774\n  workers: 2\n  http: {keepAlive: false, clientSocketTimeoutSeconds: 30}\n",
    "apis:\n- name: metadata\n  tls:\n    certificateDirectory: /tls\n    clientAuth: {mode: Optional, caFile: /ca/ca.crt}\n",
    "{logging: {level: DEBUG, format: json}, admin: {port: 0, loopback: true}, drainDelaySeconds: 0}",
    "gracefulShutdownTimeoutSeconds: 0\nanchors: &a {name: metadata}\napis: [*a, *a]\n",
];

const WORDS: &[&str] = &[
    "apis",
    "name",
    "workers",
    "tls",
    "&a ",
    "*a",
    "<<: ",
    "- ",
    ": ",
    "\n",
    "\n  ",
    "\t",
    "{",
    "}",
    "[",
    "]",
    "'",
    "\"",
    "|\n",
    ">",
    "---\n",
    "...",
    "!!binary ",
    "!x ",
    "? ",
    "#",
    "%",
    "\u{feff}",
    "null",
    "~",
    ".nan",
    "-.inf",
    "0x",
    "1e999",
    "-1",
    "65536",
    "99999999999999999999",
    "2026-01-01",
];

/// A setting somebody could write: names that mean something, with values that may not.
fn setting() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_u32..70_000).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        select(
            &[
                "osapi_compute",
                "metadata",
                "::",
                "127.0.0.1",
                "INFO",
                "json",
                "Required",
                "/tls",
                ""
            ][..]
        )
        .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let key = prop_oneof![
        8 => select(NAMES).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((key.clone(), inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

const NAMES: &[&str] = &[
    "apis",
    "name",
    "listen",
    "port",
    "workers",
    "tls",
    "certificateDirectory",
    "clientAuth",
    "mode",
    "caFile",
    "http",
    "keepAlive",
    "clientSocketTimeoutSeconds",
    "admin",
    "loopback",
    "logging",
    "level",
    "format",
    "gracefulShutdownTimeoutSeconds",
    "drainDelaySeconds",
];

/// An API that can be served, on a port of its own.
fn api(name: &'static str, port: u16) -> impl Strategy<Value = Value> {
    let http = (option::of(any::<bool>()), option::of(any::<u32>())).prop_map(|(keep, timeout)| {
        json!({"keepAlive": keep.unwrap_or(true), "clientSocketTimeoutSeconds": timeout.unwrap_or(900)})
    });
    let clients = option::of(select(&["Required", "Optional"][..]));
    let tls = clients.prop_map(|mode| {
        let clients = mode.map(|mode| json!({"mode": mode, "caFile": "/ca/ca.crt"}));
        json!({"certificateDirectory": "/tls", "clientAuth": clients})
    });
    let listen = select(&["0.0.0.0", "::", "127.0.0.1", "::1", "10.1.2.3"][..]);
    let parts = (
        listen,
        option::of(1_u32..=512),
        option::of(http),
        option::of(tls),
    );
    parts.prop_map(move |(listen, workers, http, tls)| {
        let mut api = json!({"name": name, "listen": listen, "port": port});
        let optional = [
            ("workers", workers.map(Value::from)),
            ("http", http),
            ("tls", tls),
        ];
        for (key, value) in optional {
            if let Some(value) = value {
                api[key] = value;
            }
        }
        api
    })
}

/// A configuration that can be served.
fn good() -> impl Strategy<Value = Value> {
    let apis = (
        option::of(api("osapi_compute", 8774)),
        option::of(api("metadata", 8775)),
        option::of(api("ec2", 0)),
    );
    let seconds = (any::<u32>(), any::<u32>());
    let logging = (
        select(&["DEBUG", "INFO", "WARNING", "ERROR"][..]),
        select(&["oslo", "json"][..]),
    );
    (apis, seconds, logging, any::<bool>()).prop_map(
        |((one, two, three), seconds, logging, loopback)| {
            let apis: Vec<_> = [three, one, two].into_iter().flatten().collect();
            json!({
                "apis": apis,
                "gracefulShutdownTimeoutSeconds": seconds.0,
                "drainDelaySeconds": seconds.1,
                "logging": {"level": logging.0, "format": logging.1},
                "admin": {"loopback": loopback},
            })
        },
    )
}

fn of(texts: &[&str]) -> Result<Loaded, Error> {
    let named = |text: &&str| ("some.yaml".to_owned(), (*text).to_owned());
    parse(&texts.iter().map(named).collect::<Vec<_>>())
}

/// What was taken can be served, and is the same when it is written down in two documents and read again.
fn hold(loaded: Result<Loaded, Error>) -> Result<(), TestCaseError> {
    match loaded {
        Ok(loaded) => {
            prop_assert_eq!(loaded.config.problems(), vec![]);
            let documents = split(&loaded.config).unwrap();
            let again = of(&[&documents.cold, &documents.hot]).unwrap();
            prop_assert_eq!(again.config, loaded.config);
            prop_assert_eq!(again.ignored, Vec::<String>::new());
        }
        Err(error) => prop_assert!(!error.to_string().is_empty()),
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(150_000))]

    #[test]
    fn documents_that_are_nearly_right(
        text in edited(SAMPLES.iter().map(|text| text.as_bytes().to_vec()).collect(), WORDS)
    ) {
        hold(of(&[&String::from_utf8_lossy(&text)]))?;
    }
}

proptest! {
    #![proptest_config(cases(60_000))]

    #[test]
    fn settings_with_impossible_values(cold in setting(), hot in setting()) {
        hold(of(&[&cold.to_string(), &hot.to_string()]))?;
    }

    #[test]
    fn split_and_merged_again(config in good()) {
        let loaded = of(&[&config.to_string()]).unwrap();
        let documents = split(&loaded.config).unwrap();
        let value = |text: &str| serde_yaml::from_str(text).unwrap();
        let merged = merge(value(&documents.cold), value(&documents.hot));
        prop_assert_eq!(serde_yaml::from_value::<kilonova_config::Config>(merged).unwrap(), loaded.config.clone());
        hold(Ok(loaded))?;
    }
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn files_of_any_bytes(bytes in vec(any::<u8>(), 0..300)) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("kilonova.yaml");
        fs::write(&file, bytes).unwrap();
        hold(read(&file))?;
    }
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn documents_without_end(word in select(WORDS), times in 1_usize..20_000) {
        hold(of(&[&word.repeat(times)]))?;
    }
}
