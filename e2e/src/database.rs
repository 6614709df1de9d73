//! The PostgreSQL of a test program, on this machine's address in the cluster's network: pods reach it there.

use std::env;
use std::fs;
use std::net::Ipv4Addr;
use std::sync::OnceLock;

use kilonova_probe::{Database, Kind};
use serde_json::Value;

static DATABASE: OnceLock<Database> = OnceLock::new();

/// Makes an empty database, of which pods may have this URL.
pub fn url(name: &str) -> String {
    let database = DATABASE.get_or_init(|| Database::start_on(Kind::Postgres, host()));
    database.url(name)
}

/// This machine, for pods: the first address of the network that the API server is in.
fn host() -> Ipv4Addr {
    let path = env::var("KUBECONFIG").expect("e2e/in-cluster names the kubeconfig");
    let config: Value = serde_yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let server = config["clusters"][0]["cluster"]["server"].as_str().unwrap();
    let address = server.trim_start_matches("https://").split(':').next();
    let [first, second, third, _] = address.unwrap().parse::<Ipv4Addr>().unwrap().octets();
    Ipv4Addr::new(first, second, third, 1)
}
