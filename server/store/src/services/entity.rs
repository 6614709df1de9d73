//! A row of `services`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "services")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i32,
    pub created_at: Option<TimeDateTime>,
    pub updated_at: Option<TimeDateTime>,
    pub deleted_at: Option<TimeDateTime>,
    pub deleted: Option<i32>,
    pub host: Option<String>,
    pub binary: Option<String>,
    pub topic: Option<String>,
    pub report_count: i32,
    pub disabled: Option<bool>,
    pub disabled_reason: Option<String>,
    pub last_seen_up: Option<TimeDateTime>,
    pub forced_down: Option<bool>,
    pub version: Option<i32>,
    pub uuid: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// nova's service version; 0 when none is recorded.
    pub fn version(&self) -> u32 {
        self.version.unwrap_or(0).unsigned_abs()
    }
}
