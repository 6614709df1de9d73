//! The log: oslo.log's lines or JSON, to standard output, never waiting for whoever reads it.
//!
//! ```text
//! tracing events ─► layer ─┐ levels            ┌─► thread ─► stdout, many lines a write
//! requests ────────────────┴─► line ─► sink ───┘
//! ```

mod clock;
mod layer;
mod levels;
mod line;
mod sink;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use arc_swap::ArcSwap;
use kilonova_config::{LogFormat, LogLevel, Logging};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::access_log::{Format, Record};
pub(crate) use clock::Clock;
use layer::Lines;
use levels::Levels;
use line::Line;
pub(crate) use line::open;
use sink::Sink;

static LOG: OnceLock<Log> = OnceLock::new();

/// The log of this process.
struct Log {
    json: AtomicBool,
    levels: ArcSwap<Levels>,
    sink: Sink,
}

/// The process's own number, and as text: what `std::process::id` asks the system for every time.
pub(crate) fn pid() -> &'static (u32, String) {
    static PID: OnceLock<(u32, String)> = OnceLock::new();
    PID.get_or_init(|| (std::process::id(), std::process::id().to_string()))
}

/// Lines still on their way are written when this is dropped.
#[derive(Debug)]
pub struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(log) = LOG.get() {
            log.sink.finish();
        }
    }
}

/// Starts the log of this process.
pub fn start(logging: &Logging) -> Guard {
    let log = LOG.get_or_init(|| Log {
        json: AtomicBool::new(false),
        levels: ArcSwap::from_pointee(Levels::of(logging)),
        sink: Sink::default(),
    });
    let output = std::io::stdout();
    log.sink.start(sink::whole(&output), output);
    // Only the first start of a process counts.
    let _ = tracing_subscriber::registry().with(Lines(log)).try_init();
    set(logging);
    Guard
}

/// Changes levels and format while running.
pub fn set(logging: &Logging) {
    if let Some(log) = LOG.get() {
        log.json.store(logging.format == LogFormat::Json, Relaxed);
        log.levels.store(Levels::of(logging).into());
        tracing::callsite::rebuild_interest_cache();
    }
}

/// Lines nobody took in time, since the process began.
pub fn dropped() -> u64 {
    LOG.get().map_or(0, |log| log.sink.dropped())
}

/// Writes a request to the log, at INFO as nova does.
pub fn access(logger: &str, format: &Format, record: &Record<'_>) {
    let Some(log) = LOG.get() else { return };
    if !log.levels.load().allow(logger, LogLevel::Info) {
        return;
    }
    log.sink.write(|out, clock| {
        if format.is_json() {
            record.object(out, clock, logger);
            out.push(b'\n');
            return;
        }
        let line = Line {
            level: "INFO",
            logger,
            request_id: record.request_id,
        };
        if log.json.load(Relaxed) {
            let mut message = Vec::with_capacity(256);
            format.write(&mut message, clock, record);
            line.json(out, clock, &String::from_utf8_lossy(&message));
        } else {
            line.oslo(out, clock);
            format.write(out, clock, record);
            out.push(b'\n');
        }
    });
}

impl Log {
    fn write(&self, line: &Line<'_>, message: &str) {
        self.sink.write(|out, clock| {
            if self.json.load(Relaxed) {
                line.json(out, clock, message);
            } else {
                line.oslo(out, clock);
                out.extend_from_slice(message.as_bytes());
                out.push(b'\n');
            }
        });
    }
}
