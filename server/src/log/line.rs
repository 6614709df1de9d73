//! What stands around a message.

use std::io::Write;

use super::clock::Clock;
use super::pid;

/// What a line says besides its message.
pub(super) struct Line<'a> {
    pub(super) level: &'static str,
    pub(super) logger: &'a str,
    pub(super) request_id: Option<&'a str>,
}

impl Line<'_> {
    /// oslo.log's `logging_context_format_string`, up to the message.
    pub(super) fn oslo(&self, out: &mut Vec<u8>, clock: &Clock) {
        clock.oslo(out);
        for text in [
            " ",
            &pid().1,
            " ",
            self.level,
            " ",
            self.logger,
            " [",
            self.request_id.unwrap_or("-"),
            "] ",
        ] {
            out.extend_from_slice(text.as_bytes());
        }
    }

    /// One object, whatever the message says, and the end of the line.
    pub(super) fn json(&self, out: &mut Vec<u8>, clock: &Clock, message: &str) {
        open(out, clock, self.level, self.logger);
        out.extend_from_slice(b",\"request_id\":");
        let _ = serde_json::to_writer(&mut *out, &self.request_id);
        out.extend_from_slice(b",\"message\":");
        let _ = serde_json::to_writer(&mut *out, message);
        out.extend_from_slice(b"}\n");
    }
}

/// The beginning of an object: what every line has.
pub(crate) fn open(out: &mut Vec<u8>, clock: &Clock, level: &str, logger: &str) {
    out.extend_from_slice(b"{\"time\":\"");
    clock.rfc3339(out);
    // Writing to memory cannot fail.
    let _ = write!(
        out,
        "\",\"process\":{},\"level\":\"{level}\",\"logger\":",
        pid().0
    );
    let _ = serde_json::to_writer(out, logger);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(request_id: Option<&str>) -> Line<'_> {
        Line {
            level: "INFO",
            logger: "nova.osapi_compute.wsgi.server",
            request_id,
        }
    }

    fn oslo(request_id: Option<&str>) -> String {
        let mut out = Vec::new();
        line(request_id).oslo(&mut out, &Clock::at(1_767_225_600, 7));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_is_oslo_s() {
        let process = std::process::id();
        assert_eq!(
            oslo(None),
            format!("2026-01-01 00:00:00.007 {process} INFO nova.osapi_compute.wsgi.server [-] ")
        );
        assert!(oslo(Some("req-1")).ends_with(" [req-1] "));
    }

    #[test]
    fn a_json_line_is_one_object_whatever_it_says() {
        let mut out = Vec::new();
        let clock = Clock::at(1_767_225_600, 7);
        line(None).json(&mut out, &clock, "quote \" and\nnewline");
        let line = String::from_utf8(out).unwrap();
        assert_eq!(line.matches('\n').count(), 1);
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(object["message"], "quote \" and\nnewline");
        assert_eq!(object["time"], "2026-01-01T00:00:00.007Z");
        assert_eq!(object["request_id"], serde_json::Value::Null);
    }
}
