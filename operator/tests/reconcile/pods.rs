//! Pods that answer as the server does: each has an address of its own on this host, and runs with what was mounted
//! when it last looked.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use k8s_openapi::ByteString;
use kilonova_config::ADMIN_PORT;
use kilonova_config::revision::{Source, SourceKind, revision};
use kilonova_tls::Pair;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::world::World;

/// A running pod.
pub struct FakePod {
    pub name: String,
    answer: Arc<Mutex<Option<Value>>>,
}

static NEXT: AtomicU32 = AtomicU32::new(1);

/// An address of this host that no other test has.
async fn listen() -> (Ipv4Addr, TcpListener) {
    let process = std::process::id();
    loop {
        let [_, _, high, low] = (process ^ 0x5555).to_be_bytes();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let last = u8::try_from(1 + number % 250).unwrap();
        let address = Ipv4Addr::new(127, 1 + high % 250, low, last);
        if let Ok(listener) = TcpListener::bind((address, ADMIN_PORT)).await {
            return (address, listener);
        }
    }
}

impl FakePod {
    /// Starts a pod of a Deployment with its present template; it has read what is mounted.
    pub async fn of(world: &World, deployment: &str, name: &str) -> Self {
        let (address, listener) = listen().await;
        let object = world.server.get("deployments", deployment).unwrap();
        let template = &object["spec"]["template"];
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod", "spec": template["spec"], "metadata": template["metadata"],
            "status": {"phase": "Running", "podIP": address.to_string()},
        });
        pod["metadata"]["name"] = name.into();
        pod["metadata"]["namespace"] = "cloud".into();
        world.server.put("pods", pod);
        let pod = Self {
            name: name.to_owned(),
            answer: Arc::default(),
        };
        pod.reload(world);
        let answer = Arc::clone(&pod.answer);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let Some(said) = answer.lock().unwrap().clone() else {
                    continue;
                };
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let body = said.to_string();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = stream.write_all((head + &body).as_bytes()).await;
            }
        });
        pod
    }

    /// It takes over what is mounted now.
    pub fn reload(&self, world: &World) {
        *self.answer.lock().unwrap() = Some(status(world, &self.name));
    }

    /// It does not answer any more.
    pub fn fall_silent(&self) {
        *self.answer.lock().unwrap() = None;
    }

    /// It says something else.
    pub fn say(&self, change: impl FnOnce(&mut Value)) {
        change(self.answer.lock().unwrap().as_mut().unwrap());
    }
}

/// What the server would answer.
fn status(world: &World, pod: &str) -> Value {
    let pod = world.server.get("pods", pod).unwrap();
    let volumes = pod["spec"]["volumes"].as_array().unwrap();
    let volume = |name: &str| volumes.iter().find(|volume| volume["name"] == name);
    let mut documents = Vec::new();
    for source in volume("config").unwrap()["projected"]["sources"]
        .as_array()
        .unwrap()
    {
        let name = source["configMap"]["name"].as_str().unwrap();
        let file = source["configMap"]["items"][0]["path"].as_str().unwrap();
        let map = world.server.get("configmaps", name).unwrap();
        documents.push((
            file.to_owned(),
            map["data"][file].as_str().unwrap().to_owned(),
        ));
    }
    let secret = |volume_name: String, key: &str| {
        let name = volume(&volume_name).unwrap()["secret"]["secretName"]
            .as_str()
            .unwrap();
        let secret = world.server.get("secrets", name).unwrap();
        let data: ByteString = serde_json::from_value(secret["data"][key].clone()).unwrap();
        data.0
    };
    let config = kilonova_config::parse(&documents).unwrap().config;
    let (mut authorities, mut apis) = (Vec::new(), Vec::new());
    for api in &config.apis {
        let mut said = json!({
            "name": api.name, "address": "http://0.0.0.0:1", "desiredWorkers": api.workers, "workers": [],
            "workerRestarts": 0,
        });
        let dashed = api.name.replace('_', "-");
        if let Some(tls) = &api.tls {
            let volume = format!("tls-{dashed}");
            let pair = Pair::parse(
                &secret(volume.clone(), "tls.crt"),
                &secret(volume, "tls.key"),
            )
            .unwrap();
            said["tls"] = json!({
                "serial": pair.facts().serial, "fingerprint": pair.facts().fingerprint,
                "notBefore": pair.facts().not_before, "notAfter": pair.facts().not_after,
            });
            if let Some(clients) = &tls.client_auth {
                let key = clients.ca_file.file_name().unwrap().to_str().unwrap();
                let bundle = secret(format!("client-ca-{dashed}"), key);
                authorities.push((api.name.clone(), bundle));
            }
        }
        apis.push(said);
    }
    let source = |kind, name, content| Source {
        kind,
        name,
        content,
    };
    let settings = documents
        .iter()
        .map(|(name, text)| source(SourceKind::Configuration, name, text.as_bytes()));
    let clients = authorities
        .iter()
        .map(|(name, bundle)| source(SourceKind::ClientAuthorities, name, bundle));
    let sources: Vec<_> = settings.chain(clients).collect();
    let nonce = config.nonce.unwrap();
    assert_eq!(nonce.len(), 32);
    json!({
        "version": "test", "state": "Running", "revision": revision(nonce.as_bytes(), &sources), "apis": apis,
        "ignoredSettings": [], "needsRestart": false,
    })
}
