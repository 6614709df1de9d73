//! Every request of `nova34/*.json` gets the answer the real nova 34 gave, but for the differences listed here.
#![cfg(test)]

#[path = "../../compute/tests/nova34/replay.rs"]
mod replay;

use axum::Router;
use axum::extract::Request;
use replay::{Difference, replay};

const RECORDED: [&str; 2] = [
    include_str!("nova34/lists.json"),
    include_str!("nova34/unknown.json"),
];

const DIFFERENCES: [Difference; 2] = [
    Difference {
        why: "nova's cors filter makes an empty 200 of what is not found; to us OPTIONS is a method like any other",
        concerns: |request, nova| request[0].starts_with("OPTIONS ") && nova.body.is_empty(),
        meant: |_, ours| ours.status == 404,
    },
    Difference {
        why: "nova crashes on a path that is not UTF-8",
        concerns: |_, nova| nova.raises.is_some(),
        meant: |_, ours| ours.status == 404,
    },
];

#[tokio::test]
async fn answers_are_novas() {
    let served =
        Router::new().fallback(async |request: Request| kilonova_metadata::answer(&request));
    replay(served, &RECORDED, &DIFFERENCES).await;
}
