//! The schema's history, as data.
//!
//! Expand, then contract: a migration that only adds keeps the `oldest_reader` of the one before, so that the release
//! before still works with the database and a rollout can go back. One that takes something away names the first
//! version whose release no longer needs it.

use sea_orm::sea_query::{ColumnDef, Index, Table, TableCreateStatement};

/// One step of the schema from a version to the next.
#[derive(Clone, Copy)]
pub struct Migration {
    /// The schema's version afterwards; they count from 1.
    pub version: u32,
    /// The oldest release that can still use the schema afterwards, by the newest version it knows.
    pub oldest_reader: u32,
    /// What is done. Each step can be done again: MySQL cannot take back a half-done migration.
    pub steps: &'static [Step],
}

/// One change.
#[derive(Clone, Copy)]
pub enum Step {
    /// Makes a table, or takes over one that has what is needed.
    Table(NewTable),
    /// Adds a column unless it is there.
    Column {
        /// The table.
        table: &'static str,
        /// The column's name.
        name: &'static str,
        /// What it is; it must be nullable or have a default.
        definition: fn() -> ColumnDef,
    },
    /// Removes a column if it is there.
    Drop {
        /// The table.
        table: &'static str,
        /// The column's name.
        name: &'static str,
    },
}

/// A table to make.
#[derive(Clone, Copy)]
pub struct NewTable {
    /// Its name.
    pub name: &'static str,
    /// The columns a table of this name must have if it is there already: nova's own.
    pub columns: &'static [&'static str],
    /// Sets of columns that must be unique in it.
    pub unique: &'static [&'static [&'static str]],
    /// How it is made.
    pub definition: fn() -> TableCreateStatement,
}

/// The history as far as this release knows it.
pub const SCHEMA: &[Migration] = &[Migration {
    version: 1,
    oldest_reader: 1,
    steps: &[Step::Table(NewTable {
        name: "services",
        columns: &[
            "id",
            "created_at",
            "updated_at",
            "deleted_at",
            "deleted",
            "host",
            "binary",
            "topic",
            "report_count",
            "disabled",
            "disabled_reason",
            "last_seen_up",
            "forced_down",
            "version",
            "uuid",
        ],
        unique: &[
            &["host", "topic", "deleted"],
            &["host", "binary", "deleted"],
        ],
        definition: services,
    })],
}];

/// nova's `services`: `nova/db/main/models.py`, class `Service`.
fn services() -> TableCreateStatement {
    let unique = |name: &str, columns: [&'static str; 3]| {
        let mut index = Index::create();
        index.unique().name(name.to_owned());
        for column in columns {
            index.col(column);
        }
        index
    };
    let text = |name: &'static str| ColumnDef::new(name).string_len(255).to_owned();
    let time = |name: &'static str| ColumnDef::new(name).date_time().to_owned();
    let flag = |name: &'static str| ColumnDef::new(name).boolean().default(false).to_owned();
    Table::create()
        .table("services")
        .col(
            ColumnDef::new("id")
                .integer()
                .not_null()
                .auto_increment()
                .primary_key(),
        )
        .col(time("created_at"))
        .col(time("updated_at"))
        .col(time("deleted_at"))
        .col(ColumnDef::new("deleted").integer().default(0))
        .col(text("host"))
        .col(text("binary"))
        .col(text("topic"))
        .col(
            ColumnDef::new("report_count")
                .integer()
                .not_null()
                .default(0),
        )
        .col(flag("disabled"))
        .col(text("disabled_reason"))
        .col(time("last_seen_up"))
        .col(flag("forced_down"))
        .col(ColumnDef::new("version").integer().default(0))
        .col(ColumnDef::new("uuid").string_len(36))
        .index(&mut unique(
            "uniq_services0host0topic0deleted",
            ["host", "topic", "deleted"],
        ))
        .index(&mut unique(
            "uniq_services0host0binary0deleted",
            ["host", "binary", "deleted"],
        ))
        .to_owned()
}

/// Our own bookkeeping: a row for each migration that was done.
pub(crate) fn bookkeeping() -> TableCreateStatement {
    Table::create()
        .table(BOOKKEEPING)
        .if_not_exists()
        .col(ColumnDef::new("version").integer().not_null().primary_key())
        .col(ColumnDef::new("oldest_reader").integer().not_null())
        .col(ColumnDef::new("applied_at").date_time().not_null())
        .to_owned()
}

/// The name of our own bookkeeping table.
pub(crate) const BOOKKEEPING: &str = "kilonova_schema";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_count_from_one_and_readers_never_go_back() {
        for (index, migration) in SCHEMA.iter().enumerate() {
            assert_eq!(migration.version as usize, index + 1);
            assert!((1..=migration.version).contains(&migration.oldest_reader));
        }
        assert!(
            SCHEMA
                .windows(2)
                .all(|pair| pair[0].oldest_reader <= pair[1].oldest_reader)
        );
    }
}
