//! The apps by name: nova's `Loader.load_app`.

use axum::Router;
use kilonova_config::api::{METADATA, OSAPI_COMPUTE};

/// The app of an API; `None` for a name that is none (nova: `PasteAppNotFound`).
pub fn load(name: &str) -> Option<Router> {
    match name {
        OSAPI_COMPUTE => Some(kilonova_compute::router()),
        METADATA => Some(kilonova_metadata::router()),
        _ => None,
    }
}
