//! Every request of `nova34/*.json` gets the answer the real nova 34 gave, but for the differences listed here.
#![cfg(test)]

#[path = "nova34/replay.rs"]
mod replay;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use http::header::WWW_AUTHENTICATE;
use http::uri::Scheme;
use kilonova_compute::Origin;
use replay::{Difference, replay};

const RECORDED: [&str; 3] = [
    include_str!("nova34/documents.json"),
    include_str!("nova34/choices.json"),
    include_str!("nova34/api.json"),
];

const DIFFERENCES: [Difference; 4] = [
    Difference {
        why: "no identity service is configured, so the challenge names none",
        concerns: |_, nova| nova.status == 401,
        meant: |nova, ours| {
            let mut nova = nova.clone();
            for (_, value) in nova
                .headers
                .iter_mut()
                .filter(|(name, _)| *name == WWW_AUTHENTICATE.as_str())
            {
                "Keystone".clone_into(value);
            }
            *ours == nova
        },
    },
    Difference {
        why: "nova's cors filter makes an empty 200 of what is refused to OPTIONS; we refuse it as to any other method",
        concerns: |request, nova| request[0].starts_with("OPTIONS ") && nova.body.is_empty(),
        meant: |_, ours| matches!(ours.status, 300 | 400 | 401),
    },
    Difference {
        why: "nova crashes (a server makes a bare 500 of it); we answer as if the bad part were not there",
        concerns: |_, nova| nova.raises.is_some(),
        meant: |_, ours| matches!(ours.status, 200 | 300),
    },
    Difference {
        why: "Python takes NaN for JSON",
        concerns: |request, _| request.last().is_some_and(|body| body == "NaN"),
        meant: |_, ours| ours.status == 400 && ours.body.contains("Malformed request body"),
    },
];

#[tokio::test]
async fn answers_are_novas() {
    let served = Router::new().fallback(served);
    replay(served, &RECORDED, &DIFFERENCES).await;
}

/// What the server around the application does.
async fn served(mut request: Request) -> Response {
    let origin = Origin {
        scheme: request.extensions_mut().remove::<Scheme>().unwrap(),
        local: "192.0.2.1:8774".parse().unwrap(),
        prefix: String::new(),
    };
    kilonova_compute::answer(request, origin).await
}
