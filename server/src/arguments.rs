//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Serves OpenStack's compute API: supervises workers, terminates TLS, drains and reloads.
#[derive(Debug, Parser)]
#[command(name = "kilonova-server", version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve until told to stop.
    Serve {
        /// A file, or a directory with config.yaml and live.yaml. Without it both APIs are served on 127.0.0.1.
        #[arg(long, value_name = "DIR|FILE")]
        config: Option<PathBuf>,
    },
    /// Check a configuration and all files it names, strictly, and print the effective settings.
    Check {
        /// A file, or a directory with config.yaml and live.yaml.
        #[arg(long, value_name = "DIR|FILE")]
        config: PathBuf,
    },
    /// Look after the database.
    #[command(subcommand)]
    Db(DatabaseCommand),
    /// Print the release.
    Version,
    /// Serve connections for a supervisor, which alone starts this.
    #[command(hide = true)]
    Worker,
}

/// What to do with the database.
#[derive(Debug, Subcommand)]
pub enum DatabaseCommand {
    /// Bring the tables to what this release needs, as `serve` does when it starts.
    Sync {
        /// A file, or a directory with config.yaml and live.yaml. Without it: kilonova.sqlite in the working directory.
        #[arg(long, value_name = "DIR|FILE")]
        config: Option<PathBuf>,
    },
    /// Print the version of the tables.
    Version {
        /// A file, or a directory with config.yaml and live.yaml. Without it: kilonova.sqlite in the working directory.
        #[arg(long, value_name = "DIR|FILE")]
        config: Option<PathBuf>,
    },
}
