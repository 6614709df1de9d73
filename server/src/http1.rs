//! HTTP/1 as we let it in: one way to read it, or none.
//!
//! ```text
//! bytes ─► Framing ─┬─ head ─► line by line: nova's limits, and nothing two programs could understand differently
//!                   ├─ body of a stated length
//!                   └─ chunks ─► size lines, data, trailers
//! ```
//!
//! hyper parses what passes here. It forgives what others do not (a bare line feed, two lengths that agree, a length beside
//! chunks): behind a proxy that sees other requests than we do, each of these smuggles one past it.

mod chunks;
mod head;
mod rejection;

use chunks::Chunks;
use head::Head;
pub(crate) use head::is_authority;
pub use rejection::Rejection;

/// How long lines may be, ends counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A request line that long is refused.
    pub request_line: usize,
    /// A header line that long is refused.
    pub header_line: usize,
}

/// Where in the stream of requests a connection stands.
#[derive(Debug)]
pub struct Framing {
    limits: Limits,
    state: State,
}

#[derive(Debug)]
enum State {
    Head(Head),
    Sized(u64),
    Chunked(Chunks),
}

/// How far bytes may pass.
#[derive(Debug, PartialEq, Eq)]
pub struct Advance {
    /// So many from the first on. The others must come again, with more behind them.
    pub pass: usize,
    /// What follows is refused, and why.
    pub rejected: Option<Rejected>,
}

/// What is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// A whole request, of which nothing has passed.
    Request(Rejection),
    /// The rest of a body whose head has passed.
    Body(Rejection),
}

impl Framing {
    /// Before the first byte of a connection.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Head(Head::default()),
        }
    }

    /// Whether the next byte belongs to a head.
    pub fn in_head(&self) -> bool {
        matches!(self.state, State::Head(_))
    }

    /// Looks at all bytes that have not passed yet.
    pub fn advance(&mut self, bytes: &[u8]) -> Advance {
        let mut pass = 0;
        // Where the current request begins, if nothing of it has passed in an earlier call.
        let mut begins = None;
        while pass < bytes.len() {
            let rest = &bytes[pass..];
            match self.step(rest) {
                Ok(Step::Wait) => break,
                Ok(Step::Head(length)) => {
                    begins = Some(pass);
                    pass += length;
                }
                Ok(Step::Body(length)) => pass += length,
                Err(rejection) => {
                    let (pass, rejected) = match (self.in_head(), begins) {
                        (true, _) => (pass, Rejected::Request(rejection)),
                        (false, Some(begins)) => (begins, Rejected::Request(rejection)),
                        (false, None) => (pass, Rejected::Body(rejection)),
                    };
                    return Advance {
                        pass,
                        rejected: Some(rejected),
                    };
                }
            }
        }
        Advance {
            pass,
            rejected: None,
        }
    }

    fn step(&mut self, bytes: &[u8]) -> Result<Step, Rejection> {
        match &mut self.state {
            State::Head(head) => {
                let Some((length, body)) = head.read(bytes, self.limits)? else {
                    return Ok(Step::Wait);
                };
                self.state = match body {
                    Body::Sized(0) => State::Head(Head::default()),
                    Body::Sized(length) => State::Sized(length),
                    Body::Chunked => State::Chunked(Chunks::default()),
                };
                Ok(Step::Head(length))
            }
            State::Sized(left) => {
                let taken =
                    usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= taken as u64;
                if *left == 0 {
                    self.state = State::Head(Head::default());
                }
                Ok(Step::Body(taken))
            }
            State::Chunked(chunks) => {
                let Some(taken) = chunks.read(bytes)? else {
                    return Ok(Step::Wait);
                };
                if chunks.ended() {
                    self.state = State::Head(Head::default());
                }
                Ok(Step::Body(taken))
            }
        }
    }
}

enum Step {
    /// More bytes are needed to say anything.
    Wait,
    /// A whole head of so many bytes.
    Head(usize),
    /// So many bytes of a body.
    Body(usize),
}

/// What follows a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    /// So many bytes; 0 for no body.
    Sized(u64),
    /// Chunks.
    Chunked,
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    const TOKEN: [bool; 256] = {
        let mut token = [false; 256];
        let mut byte = 0_u8;
        while byte < 128 {
            token[byte as usize] = byte.is_ascii_alphanumeric();
            byte += 1;
        }
        let marks = b"!#$%&'*+-.^_`|~";
        let mut place = 0;
        while place < marks.len() {
            token[marks[place] as usize] = true;
            place += 1;
        }
        token
    };
    TOKEN[usize::from(byte)]
}

/// What may stand in a header's value: RFC 9110, section 5.5.
fn is_value(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests;
