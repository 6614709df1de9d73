//! What a table has.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use crate::migration::NewTable;

/// The names of a table's columns; none when there is no such table.
pub(super) async fn columns(
    connection: &impl ConnectionTrait,
    table: &str,
) -> Result<Vec<String>, DbErr> {
    let sql = match connection.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT CAST(column_name AS text) AS name FROM information_schema.columns
             WHERE table_schema = current_schema() AND table_name = $1"
        }
        DbBackend::MySql => {
            "SELECT CAST(column_name AS CHAR) AS name FROM information_schema.columns
             WHERE table_schema = DATABASE() AND table_name = ?"
        }
        _ => "SELECT name FROM pragma_table_info(?)",
    };
    names(connection, sql, table).await
}

/// The sets of columns that are unique, each in alphabetical order and parted by commas.
pub(super) async fn unique(
    connection: &impl ConnectionTrait,
    table: &str,
) -> Result<Vec<String>, DbErr> {
    let sql = match connection.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT string_agg(CAST(a.attname AS text), ',' ORDER BY CAST(a.attname AS text)) AS name
             FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
             WHERE i.indisunique AND n.nspname = current_schema() AND c.relname = $1
             GROUP BY i.indexrelid"
        }
        DbBackend::MySql => {
            "SELECT CAST(GROUP_CONCAT(column_name ORDER BY column_name) AS CHAR) AS name
             FROM information_schema.statistics
             WHERE table_schema = DATABASE() AND table_name = ? AND non_unique = 0
             GROUP BY index_name"
        }
        _ => {
            "SELECT group_concat(name) AS name FROM (
                 SELECT i.name AS list, c.name AS name
                 FROM pragma_index_list(?) i, pragma_index_info(i.name) c
                 WHERE i.\"unique\" = 1 ORDER BY i.name, c.name
             ) GROUP BY list"
        }
    };
    names(connection, sql, table).await
}

async fn names(
    connection: &impl ConnectionTrait,
    sql: &str,
    table: &str,
) -> Result<Vec<String>, DbErr> {
    let backend = connection.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, [table.into()]);
    let rows = connection.query_all_raw(statement).await?;
    rows.iter().map(|row| row.try_get("", "name")).collect()
}

/// What a table that is there lacks, for people; empty when it will do.
pub(super) fn lacking(table: &NewTable, columns: &[String], unique: &[String]) -> String {
    let missing: Vec<&str> = table
        .columns
        .iter()
        .filter(|column| !columns.iter().any(|found| found == *column))
        .copied()
        .collect();
    let mut lacks = Vec::new();
    if !missing.is_empty() {
        lacks.push(format!("the columns {}", missing.join(", ")));
    }
    for wanted in table.unique {
        let mut sorted = wanted.to_vec();
        sorted.sort_unstable();
        let sorted = sorted.join(",");
        if !unique.contains(&sorted) {
            lacks.push(format!("a unique constraint on {}", wanted.join(", ")));
        }
    }
    lacks.join(" and ")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use sea_orm::sea_query::Table;

    use super::*;

    const WANTED: NewTable = NewTable {
        name: "t",
        columns: &["id", "host", "deleted"],
        unique: &[&["host", "deleted"]],
        definition: || Table::create().table("t").to_owned(),
    };

    #[rstest]
    #[case(&["id", "host", "deleted", "more"], &["id", "deleted,host"], "")]
    #[case(&["id", "deleted"], &["deleted,host"], "the columns host")]
    #[case(&["id", "host", "deleted"], &["host"], "a unique constraint on host, deleted")]
    #[case(&["id"], &[], "the columns host, deleted and a unique constraint on host, deleted")]
    fn what_a_table_lacks(#[case] columns: &[&str], #[case] unique: &[&str], #[case] lacks: &str) {
        let strings = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(lacking(&WANTED, &strings(columns), &strings(unique)), lacks);
    }
}
