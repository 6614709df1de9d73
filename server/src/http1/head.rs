//! The head of a request, line by line.

use std::ops::Range;

use kilonova_config::{MAX_HEAD_BYTES, MAX_HEADERS};
use memchr::memchr;

use super::Rejection::{HeaderLineTooLong, HeadersTooLarge, Malformed, UrlTooLong};
use super::{Body, Limits, Rejection, is_token, is_value};

/// Bytes of empty lines that may precede a request: RFC 9112, section 2.2 asks to forgive one.
const BLANK: usize = 4;

/// A head as far as its lines are complete. Positions count from its first byte.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// Up to here there is no end of a line that has not been read.
    seen: usize,
    /// Where the current line begins.
    line: usize,
    /// Where the headers begin; 0 as long as the request line is not complete.
    headers: usize,
    count: u32,
    old: bool,
    options: bool,
    authority: Option<Range<usize>>,
    host: Option<Range<usize>>,
    length: Option<u64>,
    chunked: bool,
}

impl Head {
    /// Its length, once it is complete, and what follows it. `bytes` begin with its first byte.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        limits: Limits,
    ) -> Result<Option<(usize, Body)>, Rejection> {
        while let Some(end) = memchr(b'\n', &bytes[self.seen..]) {
            let end = self.seen + end + 1;
            self.measure(end, limits)?;
            let line = bytes[self.line..end]
                .strip_suffix(b"\r\n")
                .ok_or(Malformed("a line that ends without a carriage return"))?;
            let begin = self.line;
            (self.seen, self.line) = (end, end);
            if self.headers == 0 && line.is_empty() {
                if end > BLANK {
                    return Err(Malformed("empty lines before the request"));
                }
            } else if self.headers == 0 {
                self.request_line(begin, line)?;
                self.headers = end;
            } else if line.is_empty() {
                return Ok(Some((end, self.body(bytes)?)));
            } else {
                self.header(begin, line)?;
            }
        }
        self.seen = bytes.len();
        self.measure(self.seen, limits)?;
        if self.headers == 0 {
            // Whoever speaks another protocol need not go on to the end of a line.
            let begun = &bytes[self.line..];
            if !begun
                .first()
                .is_none_or(|byte| is_token(*byte) || *byte == b'\r')
            {
                return Err(Malformed("no HTTP request"));
            }
        }
        Ok(None)
    }

    /// eventlet: `FileObjectForHeaders.readline`.
    fn measure(&self, end: usize, limits: Limits) -> Result<(), Rejection> {
        let line = end - self.line;
        if self.headers == 0 {
            return if line >= limits.request_line {
                Err(UrlTooLong)
            } else {
                Ok(())
            };
        }
        if line >= limits.header_line {
            Err(HeaderLineTooLong)
        } else if end - self.headers > MAX_HEAD_BYTES as usize {
            Err(HeadersTooLarge)
        } else {
            Ok(())
        }
    }

    fn request_line(&mut self, begin: usize, line: &[u8]) -> Result<(), Rejection> {
        let mut words = line.split(|byte| *byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(Malformed(
                "a request line that is not method, target, version",
            ));
        };
        if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) {
            return Err(Malformed("no method"));
        }
        self.old = match version {
            b"HTTP/1.1" => false,
            b"HTTP/1.0" => true,
            _ => return Err(Malformed("neither HTTP/1.1 nor HTTP/1.0")),
        };
        self.options = method == b"OPTIONS";
        if target
            .iter()
            .any(|byte| !is_value(*byte) || matches!(byte, b'\t' | b'#'))
        {
            return Err(Malformed("a target with what no target may have"));
        }
        let scheme = [&b"http://"[..], b"https://"].into_iter().find(|scheme| {
            target
                .get(..scheme.len())
                .is_some_and(|begin| begin.eq_ignore_ascii_case(scheme))
        });
        if method == b"CONNECT" {
            Err(Malformed("CONNECT: this is no proxy"))
        } else if let Some(scheme) = scheme {
            let authority = target[scheme.len()..]
                .split(|byte| matches!(byte, b'/' | b'?'))
                .next();
            let at = begin + method.len() + 1 + scheme.len();
            self.authority = Some(at..at + authority.unwrap_or_default().len());
            Ok(())
        } else if target.starts_with(b"/") || (target == b"*" && self.options) {
            Ok(())
        } else {
            Err(Malformed("a target that is neither a path nor a URL"))
        }
    }

    fn header(&mut self, begin: usize, line: &[u8]) -> Result<(), Rejection> {
        self.count += 1;
        if self.count > MAX_HEADERS {
            return Err(HeadersTooLarge);
        }
        let name = line
            .iter()
            .position(|byte| !is_token(*byte))
            .unwrap_or(line.len());
        let Some((b':', value)) = line[name..].split_first() else {
            return Err(Malformed("a header whose name does not end with its colon"));
        };
        let name = &line[..name];
        if name.is_empty() {
            return Err(Malformed("a header without a name"));
        }
        if !value.iter().fold(true, |all, byte| all & is_value(*byte)) {
            return Err(Malformed("a header with what no header may have"));
        }
        let spaces = value.iter().position(|byte| *byte != b' ');
        let value = &value[spaces.unwrap_or(value.len())..];
        if name.eq_ignore_ascii_case(b"host") {
            let end = begin + line.len();
            if self.host.replace(end - value.len()..end).is_some() {
                return Err(Malformed("two Host headers"));
            }
            if !value.iter().all(|byte| is_authority(*byte)) {
                return Err(Malformed("a Host that is no host"));
            }
        } else if name.eq_ignore_ascii_case(b"content-length") {
            if self.length.replace(length(value)?).is_some() {
                return Err(Malformed("two Content-Length headers"));
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Malformed("a Transfer-Encoding that is not just chunked"));
            }
            self.chunked = true;
        }
        Ok(())
    }

    /// RFC 9112, sections 3.2 and 6.3, without the ways out.
    fn body(&self, bytes: &[u8]) -> Result<Body, Rejection> {
        let host = self.host.clone().map(|host| &bytes[host]);
        if host.is_none() && !self.old {
            return Err(Malformed("no Host header"));
        }
        if let (Some(authority), Some(host)) = (self.authority.clone(), host)
            && !bytes[authority].eq_ignore_ascii_case(host)
        {
            return Err(Malformed("a Host that is not the target's"));
        }
        match (self.length, self.chunked) {
            (Some(_), true) => Err(Malformed("both Content-Length and Transfer-Encoding")),
            (None, true) if self.old => Err(Malformed("Transfer-Encoding with HTTP/1.0")),
            (None, true) => Ok(Body::Chunked),
            (length, false) => Ok(Body::Sized(length.unwrap_or(0))),
        }
    }
}

/// Digits alone; one more than 18 could be more than anybody counts with.
fn length(value: &[u8]) -> Result<u64, Rejection> {
    let digits = (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(value).ok().filter(|_| digits);
    number
        .and_then(|number| number.parse().ok())
        .ok_or(Malformed("a Content-Length that is no number"))
}

/// RFC 3986, section 3.2, without user names.
pub(crate) fn is_authority(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(&byte)
}
