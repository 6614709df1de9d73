//! `check`: what `serve` would do, tried without serving.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::app;
use crate::supervisor::Source;

/// Reads and checks everything; prints the effective settings, or one line for each thing wrong.
pub fn run(config: PathBuf) -> io::Result<ExitCode> {
    let plan = match Source::Path(config).plan() {
        Ok(plan) => plan,
        Err(error) => {
            writeln!(io::stderr(), "{error}")?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let unknown_settings = plan
        .ignored
        .iter()
        .map(|setting| format!("configuration: {setting} is not known"));
    let unknown_apis = plan
        .services
        .iter()
        .filter(|service| app::load(&service.api.name).is_none())
        .map(|service| format!("apis: there is no app '{}'", service.api.name));
    let mut wrong: Vec<String> = unknown_settings.chain(unknown_apis).collect();
    if plan.services.is_empty() {
        wrong.push("apis: no API is enabled".to_owned());
    }
    if !wrong.is_empty() {
        writeln!(io::stderr(), "{}", wrong.join("\n"))?;
        return Ok(ExitCode::FAILURE);
    }
    let documents = kilonova_config::split(&plan.config).map_err(io::Error::other)?;
    write!(
        io::stdout(),
        "# needs another pod to change\n{}",
        documents.cold
    )?;
    write!(
        io::stdout(),
        "# taken over while running\n{}",
        documents.hot
    )?;
    Ok(ExitCode::SUCCESS)
}
