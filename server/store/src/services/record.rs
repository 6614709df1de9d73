//! A service as the rest of the program sees it.

use std::time::SystemTime;

use super::entity::Model;
use crate::clock;

/// One service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The row's number.
    pub id: i32,
    /// Where it runs: a pod's name.
    pub host: String,
    /// `nova-osapi_compute`, `nova-metadata`, or one of nova's own.
    pub binary: String,
    /// Its queue; API services have none.
    pub topic: Option<String>,
    /// How often it was seen.
    pub report_count: i32,
    /// nova's service version; 0 when none was recorded.
    pub version: u32,
    /// Its UUID; rows that old releases of nova made may have none.
    pub uuid: Option<String>,
    /// Whether it was disabled.
    pub disabled: bool,
    /// Why.
    pub disabled_reason: Option<String>,
    /// Whether it was declared dead.
    pub forced_down: bool,
    /// When it was last seen; API services of nova never are.
    pub last_seen_up: Option<SystemTime>,
    /// When the row was made.
    pub created_at: Option<SystemTime>,
    /// When it was last changed.
    pub updated_at: Option<SystemTime>,
}

impl From<Model> for Service {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            version: row.version(),
            host: row.host.unwrap_or_default(),
            binary: row.binary.unwrap_or_default(),
            topic: row.topic,
            report_count: row.report_count,
            uuid: row.uuid,
            disabled: row.disabled.unwrap_or(false),
            disabled_reason: row.disabled_reason,
            forced_down: row.forced_down.unwrap_or(false),
            last_seen_up: row.last_seen_up.map(clock::to_system),
            created_at: row.created_at.map(clock::to_system),
            updated_at: row.updated_at.map(clock::to_system),
        }
    }
}
