//! What `tracing` hears, as lines.

use std::fmt::{self, Write as _};

use kilonova_config::LogLevel;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::Log;
use super::line::Line;

/// Writes events to the log. An event may name its logger in a field; otherwise its module is its logger.
pub(super) struct Lines(pub(super) &'static Log);

impl<S: Subscriber> Layer<S> for Lines {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let levels = self.0.levels.load();
        let level = level(*metadata.level());
        if metadata.fields().field("logger").is_some() {
            // Which one, only the event itself knows.
            levels.allow_any(level)
        } else {
            levels.allow(&metadata.target().replace("::", "."), level)
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let debug = self.0.levels.load().allow_any(LogLevel::Debug);
        Some(if debug {
            LevelFilter::DEBUG
        } else {
            LevelFilter::INFO
        })
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = level(*event.metadata().level());
        let logger = fields
            .logger
            .unwrap_or_else(|| event.metadata().target().replace("::", "."));
        if self.0.levels.load().allow(&logger, level) {
            let line = Line {
                level: name(level),
                logger: &logger,
                request_id: fields.request_id.as_deref(),
            };
            self.0.write(&line, &fields.message);
        }
    }
}

fn level(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warning,
        Level::INFO => LogLevel::Info,
        Level::DEBUG | Level::TRACE => LogLevel::Debug,
    }
}

/// oslo.log's names.
fn name(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "ERROR",
        LogLevel::Warning => "WARNING",
        LogLevel::Info => "INFO",
        LogLevel::Debug => "DEBUG",
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
