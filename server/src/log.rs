//! The log: oslo.log's lines or JSON, to standard output, never waiting for whoever reads it.

use std::fmt::{self, Write as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use kilonova_config::{LogFormat, LogLevel, Logging};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, reload};

/// Libraries that say much at DEBUG (oslo.log's `default_log_levels`).
const QUIET_LIBRARIES: [&str; 3] = ["h2", "hyper", "rustls"];

static JSON: AtomicBool = AtomicBool::new(false);
static LEVELS: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

/// Starts the log of this process. Lines still on their way are written when the guard is dropped.
pub fn start(logging: &Logging) -> WorkerGuard {
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .finish(std::io::stdout());
    let (levels, handle) = reload::Layer::new(levels(logging.level));
    let lines = tracing_subscriber::fmt::layer()
        .event_format(Lines)
        .with_writer(writer)
        .with_ansi(false);
    JSON.store(logging.format == LogFormat::Json, Relaxed);
    // Only the first start of a process counts.
    let _ = tracing_subscriber::registry()
        .with(levels)
        .with(lines)
        .try_init();
    let _ = LEVELS.set(handle);
    guard
}

/// Changes level and format while running.
pub fn set(logging: &Logging) {
    JSON.store(logging.format == LogFormat::Json, Relaxed);
    if let Some(handle) = LEVELS.get() {
        let _ = handle.reload(levels(logging.level));
    }
}

fn levels(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    let libraries = QUIET_LIBRARIES.map(|library| (library, level.min(LevelFilter::INFO)));
    Targets::new().with_default(level).with_targets(libraries)
}

/// oslo.log's `logging_context_format_string`, or one JSON object a line.
struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = Line {
            now: Zoned::new(Timestamp::now(), TimeZone::UTC),
            process: std::process::id(),
            level: oslo_level(*event.metadata().level()),
            logger: &fields
                .logger
                .unwrap_or_else(|| event.metadata().target().replace("::", ".")),
            request_id: fields.request_id.as_deref(),
            message: &fields.message,
        };
        if JSON.load(Relaxed) {
            writer.write_str(&line.json())
        } else {
            writer.write_str(&line.oslo())
        }
    }
}

fn oslo_level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        Level::DEBUG | Level::TRACE => "DEBUG",
    }
}

/// The fields a line is made of; others are added to the message.
#[derive(Default)]
struct Fields {
    logger: Option<String>,
    request_id: Option<String>,
    message: String,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "logger" => self.logger = Some(value.to_owned()),
            "request_id" => self.request_id = Some(value.to_owned()),
            _ => self.record_debug(field, &format_args!("{value}")),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.message, " {name}={value:?}"),
        };
    }
}

struct Line<'a> {
    now: Zoned,
    process: u32,
    level: &'static str,
    logger: &'a str,
    request_id: Option<&'a str>,
    message: &'a str,
}

impl Line<'_> {
    fn oslo(&self) -> String {
        format!(
            "{} {} {} {} [{}] {}\n",
            self.now.strftime("%Y-%m-%d %H:%M:%S%.3f"),
            self.process,
            self.level,
            self.logger,
            self.request_id.unwrap_or("-"),
            self.message
        )
    }

    fn json(&self) -> String {
        let object = serde_json::json!({
            "time": self.now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            "process": self.process,
            "level": self.level,
            "logger": self.logger,
            "request_id": self.request_id,
            "message": self.message,
        });
        format!("{object}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line<'a>(request_id: Option<&'a str>, message: &'a str) -> Line<'a> {
        Line {
            now: Zoned::new(
                Timestamp::from_millisecond(1_767_225_600_007).unwrap(),
                TimeZone::UTC,
            ),
            process: 7,
            level: "INFO",
            logger: "nova.osapi_compute.wsgi.server",
            request_id,
            message,
        }
    }

    #[test]
    fn a_line_is_oslo_s() {
        assert_eq!(
            line(None, "hello").oslo(),
            "2026-01-01 00:00:00.007 7 INFO nova.osapi_compute.wsgi.server [-] hello\n"
        );
        assert!(
            line(Some("req-1"), "hello")
                .oslo()
                .contains(" [req-1] hello")
        );
    }

    #[test]
    fn a_json_line_is_one_object_whatever_it_says() {
        let line = line(None, "quote \" and\nnewline").json();
        assert_eq!(line.matches('\n').count(), 1);
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(object["message"], "quote \" and\nnewline");
        assert_eq!(object["time"], "2026-01-01T00:00:00.007Z");
    }
}
