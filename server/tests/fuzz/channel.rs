//! What supervisor and workers say to each other.

use std::os::fd::AsFd;

use kilonova_server::channel::Channel;
use kilonova_server::channel::handover::{Handover, Report};
use kilonova_server::message::{FromWorker, Settings, ToWorker};
use kilonova_server::supervisor::balance::{Load, choose};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::bytes::edited;
use crate::cases;

/// Messages as they are on the wire.
fn messages() -> Vec<Vec<u8>> {
    [
        r#"{"Start":{"api":"osapi_compute","local":"127.0.0.1:8774"}}"#,
        r#"{"Prepare":{"revision":7}}"#,
        r#""LameDuck""#,
        r#"{"Finish":{"within":1000}}"#,
        r#""Ready""#,
        r#"{"Prepared":{"revision":7,"error":"no"}}"#,
        r#"{"http":{"keepAlive":true},"logging":{"level":"INFO"},"tls":{"certificate":"","key":"","clients":["",true]}}"#,
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

const WORDS: &[&str] = &[
    "null",
    "-1",
    "1e99",
    "18446744073709551616",
    "\"Pong\"",
    "\"counters\"",
    "[",
    "{",
    "}",
    ":",
    ",",
    "\\u0000",
];

fn report() -> impl Strategy<Value = Report> {
    (any::<u64>(), any::<u64>(), any::<u64>()).prop_map(|(acknowledged, closed, in_flight)| {
        Report {
            acknowledged,
            closed,
            in_flight,
        }
    })
}

proptest! {
    #![proptest_config(cases(400_000))]

    #[test]
    fn hand_overs_and_reports(message in vec(any::<u8>(), 0..64)) {
        prop_assert_eq!(Report::decode(&message).is_some(), message.len() == 24);
        if let Some(report) = Report::decode(&message) {
            prop_assert_eq!(&report.encode()[..], &message[..]);
        }
        if let Some(handover) = Handover::decode(&message) {
            prop_assert_eq!(Handover::decode(&handover.encode()), Some(handover));
        }
    }
}

proptest! {
    #![proptest_config(cases(250_000))]

    #[test]
    fn messages_on_the_control_channel(message in edited(messages(), WORDS)) {
        if let Ok(message) = serde_json::from_slice::<ToWorker>(&message) {
            let again = serde_json::to_vec(&message).unwrap();
            prop_assert_eq!(serde_json::from_slice::<ToWorker>(&again).unwrap(), message);
        }
        if let Ok(message) = serde_json::from_slice::<FromWorker>(&message) {
            let again = serde_json::to_vec(&message).unwrap();
            prop_assert_eq!(serde_json::from_slice::<FromWorker>(&again).unwrap(), message);
        }
        let _ = serde_json::from_slice::<Settings>(&message);
    }
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn messages_of_any_size(message in vec(any::<u8>(), 1..100), room in 1_usize..100, files in 0_usize..3) {
        let (one, other) = Channel::pair().unwrap();
        let file = tempfile::tempfile().unwrap();
        one.send(&message, &vec![file.as_fd(); files]).unwrap();
        let mut buffer = vec![0; room];
        match other.receive(&mut buffer) {
            Ok(received) => {
                let received = received.unwrap();
                prop_assert_eq!(&buffer[..received.length], &message[..]);
                prop_assert_eq!(received.descriptors.len(), files);
            }
            Err(error) => {
                prop_assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
                prop_assert!(room < message.len());
            }
        }
    }

    #[test]
    fn workers_that_report_nonsense(
        reports in vec((0_usize..3, report()), 0..20), given in vec(any::<u64>(), 3), most in any::<u64>()
    ) {
        let mut workers: Vec<_> = given.iter().map(|given| Load { given: *given, ..Load::default() }).collect();
        for (worker, report) in reports {
            workers[worker].note(report);
            let chosen = choose(workers.iter().enumerate(), most);
            prop_assert!(chosen.is_none_or(|chosen| workers[chosen].connections() < most));
        }
    }
}
