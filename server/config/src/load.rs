//! Reading a configuration: from one file, or from a directory with a cold and a hot document.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_yaml::Value;

use crate::{COLD_FILE, Config, HOT_FILE, Problem, merge};

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A document is not YAML.
    #[error("{document} is not YAML: {source}")]
    Syntax {
        /// The file.
        document: String,
        /// Where and why.
        source: serde_yaml::Error,
    },
    /// A setting has the wrong type or an impossible value.
    #[error("{field}: {message}")]
    Setting {
        /// Path of the setting.
        field: String,
        /// What is wrong.
        message: String,
    },
    /// Settings that exclude each other or are out of range.
    #[error("{}", list(.0))]
    Problems(Vec<Problem>),
    /// A configuration could not be written down.
    #[error("cannot write the configuration: {0}")]
    Write(#[from] serde_yaml::Error),
}

/// A configuration that can be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Paths of settings that this release does not know; they have no effect.
    pub ignored: Vec<String>,
    /// The documents it was read from: file names and texts.
    pub documents: Vec<(String, String)>,
}

/// Reads a file, or a directory with [`COLD_FILE`] and, if there is one, [`HOT_FILE`].
pub fn read(path: &Path) -> Result<Loaded, Error> {
    let text = |path: PathBuf| match fs::read_to_string(&path) {
        Ok(text) => Ok((path.display().to_string(), text)),
        Err(source) => Err(Error::Read { path, source }),
    };
    if !path.is_dir() {
        return parse(&[text(path.to_owned())?]);
    }
    let mut documents = vec![text(path.join(COLD_FILE))?];
    match text(path.join(HOT_FILE)) {
        Ok(hot) => documents.push(hot),
        Err(Error::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    parse(&documents)
}

/// Understands named documents, each laid over the ones before it.
pub fn parse(documents: &[(String, String)]) -> Result<Loaded, Error> {
    let mut merged = Value::Mapping(serde_yaml::Mapping::new());
    for (document, text) in documents {
        let value = serde_yaml::from_str(text).map_err(|source| Error::Syntax {
            document: document.clone(),
            source,
        })?;
        if value != Value::Null {
            merged = merge(merged, value);
        }
    }
    let mut ignored = Vec::new();
    let mut track = serde_path_to_error::Track::new();
    let reader = serde_path_to_error::Deserializer::new(merged, &mut track);
    let read: Result<Config, _> =
        serde_ignored::deserialize(reader, |path| ignored.push(path.to_string()));
    let config = read.map_err(|error| Error::Setting {
        field: track.path().to_string(),
        message: error.to_string(),
    })?;
    match config.problems() {
        problems if problems.is_empty() => Ok(Loaded {
            config,
            ignored,
            documents: documents.to_vec(),
        }),
        problems => Err(Error::Problems(problems)),
    }
}

fn list(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn one(text: &str) -> Result<Loaded, Error> {
        parse(&[("nova.yaml".to_owned(), text.to_owned())])
    }

    #[rstest]
    #[case(
        "apis: [{name: metadata, port: 70000}]",
        "apis[0].port: invalid value: integer `70000`, expected u16"
    )]
    #[case(
        "apis: [{name: metadata, listen: localhost}]",
        "apis[0].listen: invalid IP address syntax"
    )]
    #[case("apis: [{port: 1}]", "apis[0]: missing field `name`")]
    #[case(
        "apis: [{name: metadata, tls: {}}]",
        "apis[0].tls: missing field `certificateDirectory`"
    )]
    #[case(
        "logging: {level: LOUD}",
        "logging.level: unknown variant `LOUD`, expected one of `DEBUG`, `INFO`, `WARNING`, `ERROR`"
    )]
    #[case(
        "apis: [{name: metadata, http: {trustedProxies: [10.0.0.1]}}]",
        "apis[0].http.trustedProxies[0]: invalid IP address syntax"
    )]
    #[case(
        "logging: {levels: {hyper: LOUD}}",
        "logging.levels.hyper: unknown variant `LOUD`, expected one of `DEBUG`, `INFO`, `WARNING`, `ERROR`"
    )]
    #[case(
        "apis: [{name: metadata, workers: 0}]",
        "apis[0].workers: metadata_workers value of 0 is invalid, must be greater than 0 and at most 512"
    )]
    #[case(
        "apis: [",
        "nova.yaml is not YAML: did not find expected node content at line 2 column 1, while parsing a flow node"
    )]
    fn errors_name_the_setting(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(one(text).unwrap_err().to_string(), expected);
    }

    #[test]
    fn unknown_settings_are_reported_and_have_no_effect() {
        let loaded = one("apis: [{name: metadata, wrokers: 3}]\nbackdoor_port: 1").unwrap();
        assert_eq!(loaded.ignored, ["apis.0.wrokers", "backdoor_port"]);
        assert_eq!(loaded.config.apis[0].worker_count(), 1);
    }

    #[test]
    fn a_directory_is_its_cold_and_its_hot_document() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(
            directory.path().join(COLD_FILE),
            "apis: [{name: metadata, port: 80}]",
        )
        .unwrap();
        assert_eq!(
            read(directory.path()).unwrap().config.apis[0].worker_count(),
            1
        );
        fs::write(
            directory.path().join(HOT_FILE),
            "apis: [{name: metadata, workers: 3}]",
        )
        .unwrap();
        let config = read(directory.path()).unwrap().config;
        assert_eq!(
            (config.apis[0].worker_count(), config.apis[0].port),
            (3, Some(80))
        );
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read(Path::new("/nonexistent/kilonova.yaml"))
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "cannot read /nonexistent/kilonova.yaml: No such file or directory (os error 2)"
        );
    }
}
