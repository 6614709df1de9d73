//! `kilonova-server`.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use kilonova_server::arguments::{Arguments, Command};
use kilonova_server::supervisor::Source;
use kilonova_server::{VERSION, check, database, supervisor, worker};

fn main() -> anyhow::Result<ExitCode> {
    Ok(match Arguments::parse().command {
        Command::Serve { config } => {
            supervisor::run(config.map_or(Source::Embedded, Source::Path))?
        }
        Command::Check { config } => check::run(config)?,
        Command::Db(command) => database::run(&command)?,
        Command::Worker => worker::run()?,
        Command::Version => {
            writeln!(std::io::stdout(), "{VERSION}")?;
            ExitCode::SUCCESS
        }
    })
}
