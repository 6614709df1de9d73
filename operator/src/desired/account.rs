//! What pods act as: nobody. The account exists so that image credentials and policies have something to name.

use k8s_openapi::api::core::v1::ServiceAccount;

use super::Part;

pub(super) fn account(part: &Part<'_>) -> ServiceAccount {
    ServiceAccount {
        metadata: part.metadata(part.name()),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}
