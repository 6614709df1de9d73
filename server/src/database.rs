//! `db sync` and `db version`: what nova-manage does for the tables this server needs.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use kilonova_store::{Schema, Store, StoreError};

use crate::arguments::DatabaseCommand;
use crate::supervisor::Source;

/// Connections this needs.
const CONNECTIONS: u32 = 1;

/// Runs a command; prints the schema's version, or one line of what is wrong.
pub fn run(command: &DatabaseCommand) -> io::Result<ExitCode> {
    match tried(command) {
        Ok(line) => {
            writeln!(io::stdout(), "{line}")?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            writeln!(io::stderr(), "{error}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}

fn tried(command: &DatabaseCommand) -> Result<String, Box<dyn std::error::Error>> {
    let (DatabaseCommand::Sync { config } | DatabaseCommand::Version { config }) = command;
    let url = source(config.clone()).plan()?.database;
    let url = url.ok_or("database: none is configured: name it in database.connectionFile")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(async {
        let store = Store::open(&url.url, CONNECTIONS)?;
        if matches!(command, DatabaseCommand::Sync { .. }) {
            store.sync().await?;
        }
        let schema = store.schema().await?;
        store.close().await;
        Ok::<_, StoreError>(described(&schema))
    })?)
}

fn source(config: Option<PathBuf>) -> Source {
    config.map_or(Source::Embedded, Source::Path)
}

fn described(schema: &Schema) -> String {
    format!(
        "schema version {} (this release knows {}; oldest reader {})",
        schema.version, schema.known, schema.oldest_reader
    )
}
