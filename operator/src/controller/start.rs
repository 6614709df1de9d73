//! What is looked at before the first reconcile: whether there is something to look after, and of which release.

use std::time::Duration;

use kube::api::{ListParams, PartialObjectMeta};
use kube::{Api, Client, CustomResourceExt, Resource};
use serde_json::Value;
use tokio::time::sleep;
use tracing::{debug, info, warn};

use super::Scope;
use crate::api::ApiService;
use crate::definition;
use crate::metrics::Metrics;

/// A definition that is missing is looked for this often.
const RETRY: Duration = Duration::from_secs(5);
/// A definition that is older than this release needs is looked at this often.
const RECHECK: Duration = Duration::from_secs(60);

/// Waits until the API server can be asked for `ApiService`s, and says once what is missing.
pub async fn wait_for_definition(client: &Client, scope: &Scope, metrics: &Metrics) {
    let api: Api<PartialObjectMeta<ApiService>> = scope.api(client);
    let mut said = None;
    loop {
        let missing = match api.list_metadata(&ListParams::default().limit(1)).await {
            Ok(_) => return,
            Err(kube::Error::Api(answer)) if answer.code == 404 => {
                let lacking = definition::missing(&definition::schema(), &Value::Null);
                metrics.schema_mismatch(lacking.len());
                format!(
                    "the CustomResourceDefinition {} is missing: install it with 'kilonova-operator crd | kubectl apply \
                     --server-side -f -', or with the chart",
                    ApiService::crd_name()
                )
            }
            Err(kube::Error::Api(answer)) => format!(
                "the API server refuses to list ApiServices: {}",
                answer.message
            ),
            Err(error) => format!("the API server cannot be reached: {}", root_cause(&error)),
        };
        if said.as_ref() != Some(&missing) {
            warn!("{missing}; trying again every {} s", RETRY.as_secs());
            said = Some(missing);
        }
        sleep(RETRY).await;
    }
}

/// Says once when the definition is older than this release needs, and again when it fits; ends when it fits. What it
/// lacks is no reason to wait: all else can be looked after.
pub async fn check_definition(client: &Client, metrics: &Metrics) {
    let ours = definition::schema();
    let mut said = Vec::new();
    loop {
        match served(client).await {
            Ok(theirs) => {
                let missing = definition::missing(&ours, &theirs);
                metrics.schema_mismatch(missing.len());
                if missing.is_empty() {
                    if !said.is_empty() {
                        info!("the CustomResourceDefinition is what this release needs now");
                    }
                    return;
                }
                if said != missing {
                    warn!("{}", definition::complaint(&missing));
                    said = missing;
                }
            }
            Err(error) => debug!(%error, "the definition's schema cannot be read"),
        }
        sleep(RECHECK).await;
    }
}

/// The schema of `ApiService`s as the API server publishes it: every client may read it, and no role is needed.
async fn served(client: &Client) -> kube::Result<Value> {
    let path = format!(
        "/openapi/v3/apis/{}/{}",
        ApiService::group(&()),
        ApiService::version(&())
    );
    let request = http::Request::get(path)
        .body(Vec::new())
        .map_err(kube::Error::HttpError)?;
    let document: Value = client.request(request).await?;
    Ok(definition::served(&document).cloned().unwrap_or_default())
}

/// What is at the bottom of an error: above it stands only who passed it on.
fn root_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), root_cause)
}
