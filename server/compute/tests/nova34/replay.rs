//! Replays recorded requests against a router and compares the answers. Shared with `server/metadata/tests`.

use axum::Router;
use axum::body::Body;
use http::header::{CONTENT_LENGTH, HOST};
use http::uri::Scheme;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde::Deserialize;
use tower::ServiceExt;

/// One answer, and all the requests that got it (the notation is explained in README.md).
#[derive(Deserialize)]
struct Recorded {
    #[serde(flatten)]
    answer: Answer,
    requests: Vec<Vec<String>>,
}

/// What came back; request ids are `req-<uuid>`.
#[derive(Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default)]
pub struct Answer {
    /// The exception nova let out, instead of an answer.
    pub raises: Option<String>,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// A deliberate difference. Each is seen to be one: what does not differ any more fails the test.
pub struct Difference {
    pub why: &'static str,
    /// Which of nova's answers we give another for.
    pub concerns: fn(request: &[String], nova: &Answer) -> bool,
    /// Is it the one we mean to give?
    pub meant: fn(nova: &Answer, ours: &Answer) -> bool,
}

/// Fails unless every recorded request gets nova's answer, or the meant one where a difference concerns it.
pub async fn replay(router: Router, recorded: &[&str], differences: &[Difference]) {
    let mut used = vec![0; differences.len()];
    let mut equal = 0;
    let mut wrong = Vec::new();
    for Recorded {
        answer: nova,
        requests,
    } in recorded.iter().flat_map(|json| parse(json))
    {
        for lines in requests {
            let ours = answer(router.clone().oneshot(request(&lines)).await.unwrap()).await;
            match differences
                .iter()
                .position(|difference| (difference.concerns)(&lines, &nova))
            {
                None if ours == nova => equal += 1,
                Some(index) if ours != nova && (differences[index].meant)(&nova, &ours) => {
                    used[index] += 1;
                }
                _ => wrong.push(format!("{lines:?}\n  nova: {nova:?}\n  ours: {ours:?}")),
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} answers differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    println!("{equal} equal");
    for (difference, used) in differences.iter().zip(used) {
        assert!(used > 0, "nothing differs any more: {}", difference.why);
        println!("{used} differ: {}", difference.why);
    }
}

fn parse(json: &str) -> Vec<Recorded> {
    serde_json::from_str(json).unwrap()
}

/// A request in the notation of README.md; its scheme is an extension.
fn request(lines: &[String]) -> Request<Body> {
    let (head, body) = match lines.iter().position(String::is_empty) {
        Some(end) => (&lines[..end], latin1(&lines[end + 1])),
        None => (lines, Vec::new()),
    };
    let (method, target) = head[0].split_once(' ').unwrap();
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .extension(Scheme::HTTP);
    let mut host = Some("nova.example:8774");
    for line in &head[1..] {
        if line == ":no-host" {
            host = None;
        } else if let Some(scheme) = line.strip_prefix(":scheme: ") {
            request = request.extension(Scheme::try_from(scheme).unwrap());
        } else {
            let (name, value) = line.split_once(':').unwrap();
            if name == "Host" {
                host = None;
            }
            request = request.header(name, latin1(value.trim()));
        }
    }
    if let Some(host) = host {
        request = request.header(HOST, host);
    }
    if !body.is_empty() {
        request = request.header(CONTENT_LENGTH, body.len());
    }
    request
        .body(Body::from(body))
        .unwrap_or_else(|error| panic!("{lines:?}: {error}"))
}

async fn answer(response: axum::response::Response) -> Answer {
    let (parts, body) = response.into_parts();
    let body = String::from_utf8(body.collect().await.unwrap().to_bytes().into()).unwrap();
    Answer {
        raises: None,
        status: parts.status.as_u16(),
        headers: headers(&parts.headers),
        body,
    }
}

fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| without_request_id(value.to_str().unwrap()).to_owned();
    let mut headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect();
    headers.sort_by(|one, other| one.0.cmp(&other.0));
    headers
}

fn without_request_id(value: &str) -> &str {
    let is_id = value.strip_prefix("req-").is_some_and(|id| {
        id.len() == 36
            && id
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'))
    });
    if is_id { "req-<uuid>" } else { value }
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars()
        .map(|character| u8::try_from(character).unwrap())
        .collect()
}
