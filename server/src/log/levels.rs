//! Which levels are written, by the name of a logger and those above it.

use kilonova_config::{LogLevel, Logging};

/// Libraries that say much at DEBUG (oslo.log's `default_log_levels`), and h2, which warns of every client that behaves
/// badly: that is said once for each connection, and counted.
const QUIET_LIBRARIES: [(&str, LogLevel); 3] = [
    ("h2", LogLevel::Error),
    ("hyper", LogLevel::Info),
    ("rustls", LogLevel::Info),
];

/// The least severe level of each logger.
#[derive(Debug)]
pub(super) struct Levels {
    root: LogLevel,
    rules: Vec<(String, LogLevel)>,
}

impl Levels {
    pub(super) fn of(logging: &Logging) -> Self {
        let libraries = QUIET_LIBRARIES
            .into_iter()
            .filter(|(library, _)| !logging.levels.contains_key(*library))
            .map(|(library, level)| {
                let quieter = severity(logging.level) > severity(level);
                (
                    library.to_owned(),
                    if quieter { logging.level } else { level },
                )
            });
        let asked = logging
            .levels
            .iter()
            .map(|(name, level)| (name.replace("::", "."), *level));
        Self {
            root: logging.level,
            rules: libraries.chain(asked).collect(),
        }
    }

    /// Whether a logger writes lines of a level: the longest rule that is its name, or a name above it.
    pub(super) fn allow(&self, logger: &str, level: LogLevel) -> bool {
        let rule = self
            .rules
            .iter()
            .filter(|(name, _)| {
                logger
                    .strip_prefix(name.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
            .max_by_key(|(name, _)| name.len());
        let least = rule.map_or(self.root, |(_, level)| *level);
        severity(level) >= severity(least)
    }

    /// Whether any logger writes lines of a level.
    pub(super) fn allow_any(&self, level: LogLevel) -> bool {
        let mut levels = self.rules.iter().map(|(_, level)| *level);
        let allows = |least: LogLevel| severity(level) >= severity(least);
        allows(self.root) || levels.any(allows)
    }
}

fn severity(level: LogLevel) -> u8 {
    match level {
        LogLevel::Debug => 0,
        LogLevel::Info => 1,
        LogLevel::Warning => 2,
        LogLevel::Error => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use LogLevel::{Debug, Error, Info, Warning};
    use rstest::rstest;

    fn levels(root: LogLevel, rules: &[(&str, LogLevel)]) -> Levels {
        Levels::of(&Logging {
            level: root,
            levels: rules
                .iter()
                .map(|(name, level)| ((*name).to_owned(), *level))
                .collect(),
            ..Logging::default()
        })
    }

    #[rstest]
    #[case::root(Info, &[], "nova.osapi_compute.wsgi.server", Info, true)]
    #[case::below_root(Info, &[], "nova.osapi_compute.wsgi.server", Debug, false)]
    #[case::named(Info, &[("nova.osapi_compute.wsgi.server", Warning)], "nova.osapi_compute.wsgi.server", Info, false)]
    #[case::above(Info, &[("nova.osapi_compute", Debug)], "nova.osapi_compute.wsgi.server", Debug, true)]
    #[case::begins_alike(Info, &[("nova.osapi", Error)], "nova.osapi_compute", Info, true)]
    #[case::longest(Info, &[("nova", Error), ("nova.metadata", Debug)], "nova.metadata.wsgi.server", Debug, true)]
    #[case::quiet(Debug, &[], "hyper.proto", Debug, false)]
    #[case::not_quiet(Info, &[("hyper", Debug)], "hyper.proto", Debug, true)]
    #[case::as_rust_writes_it(Info, &[("kilonova_server::supervisor", Error)], "kilonova_server.supervisor.accept", Warning, false)]
    fn the_longest_name_decides(
        #[case] root: LogLevel,
        #[case] rules: &[(&str, LogLevel)],
        #[case] logger: &str,
        #[case] level: LogLevel,
        #[case] written: bool,
    ) {
        assert_eq!(levels(root, rules).allow(logger, level), written);
    }

    #[test]
    fn one_talkative_logger_is_enough_to_listen() {
        assert!(!levels(Info, &[]).allow_any(Debug));
        assert!(levels(Error, &[("nova", Debug)]).allow_any(Debug));
    }
}
