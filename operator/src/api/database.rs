//! Where the service records are kept.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::rules;

/// The database (nova: [database]).
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Database {
    /// Secret with the database's URL as in nova.conf: mysql+pymysql://…, postgresql://… or sqlite:///… (nova:
    /// [database] connection). A new URL is taken over without a restart; another name rolls the pods.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::secret_name("database.secretName"))]
    pub secret_name: String,
    /// Key of the URL in that Secret. A change rolls the pods.
    #[serde(default = "key")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::secret_key("database.key"))]
    pub key: String,
    /// Connections that each pod may have open at once, shared by its workers (nova: [database] max_pool_size and
    /// max_overflow, for each worker). A change is taken over without a restart.
    #[serde(default = "max_connections")]
    #[x_kube(validation = rules::database_connections())]
    pub max_connections_per_pod: i32,
}

fn key() -> String {
    "connection".to_owned()
}

fn max_connections() -> i32 {
    kilonova_config::MAX_DATABASE_CONNECTIONS.cast_signed()
}
