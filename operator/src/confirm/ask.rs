//! Asking pods what they run with. Nothing but this file talks to pods.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kilonova_config::ADMIN_PORT;
use kilonova_config::status::PodStatus;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// No pod may take longer to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pods that are asked at once.
const AT_ONCE: usize = 16;
/// No answer is longer.
const LONGEST: usize = 1 << 20;

/// What a pod said; `Err` says why it did not.
pub type Answer = Result<PodStatus, String>;

/// Asks each of these pods, in their order.
pub async fn ask(pods: &[&Pod]) -> Vec<Answer> {
    let addresses: Vec<_> = pods.iter().map(|pod| address(pod)).collect();
    stream::iter(addresses)
        .map(ask_one)
        .buffered(AT_ONCE)
        .collect()
        .await
}

fn address(pod: &Pod) -> Option<SocketAddr> {
    let ip = pod.status.as_ref()?.pod_ip.as_ref()?;
    let ip: IpAddr = ip.parse().ok()?;
    Some(SocketAddr::new(ip, ADMIN_PORT))
}

async fn ask_one(address: Option<SocketAddr>) -> Answer {
    let Some(address) = address else {
        return Err("it has no address yet".to_owned());
    };
    match timeout(PATIENCE, get(address)).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

async fn get(address: SocketAddr) -> Answer {
    let stream = TcpStream::connect(address).await.map_err(text)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(text)?;
    let request = Request::get("/status")
        .header(HOST, address.to_string())
        .body(Empty::<Bytes>::new())
        .map_err(text)?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(text)?;
        if answer.status() != StatusCode::OK {
            return Err(format!("it answers {}", answer.status()));
        }
        let body = Limited::new(answer.into_body(), LONGEST).collect().await;
        let body = body.map_err(text)?.to_bytes();
        serde_json::from_slice(&body)
            .map_err(|error| format!("its answer is not understood: {error}"))
    };
    // The connection works as long as it is waited for, and goes with it.
    tokio::pin!(exchange, connection);
    tokio::select! {
        answer = &mut exchange => answer,
        closed = &mut connection => match closed {
            Ok(()) => exchange.await,
            Err(error) => Err(text(error)),
        },
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
