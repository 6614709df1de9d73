//! Why a request is refused before anybody has understood it.

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// `[wsgi]` had no name for it: eventlet's `url_length_limit`.
    UrlTooLong,
    /// `[wsgi] max_header_line`.
    HeaderLineTooLong,
    /// More bytes or more lines than a head may have.
    HeadersTooLarge,
    /// It could be understood in more than one way, or in none; says what.
    Malformed(&'static str),
}

impl Rejection {
    /// The whole answer, with eventlet's reason phrases.
    pub fn answer(self) -> &'static [u8] {
        match self {
            Self::UrlTooLong => {
                b"HTTP/1.1 414 Request URI Too Long\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            }
            Self::HeaderLineTooLong => {
                b"HTTP/1.1 400 Header Line Too Long\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            }
            Self::HeadersTooLarge => {
                b"HTTP/1.1 400 Headers Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            }
            Self::Malformed(_) => {
                b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            }
        }
    }

    /// What is wrong, for the log.
    pub fn why(self) -> &'static str {
        match self {
            Self::UrlTooLong => "request line too long",
            Self::HeaderLineTooLong => "header line too long",
            Self::HeadersTooLarge => "headers too large",
            Self::Malformed(why) => why,
        }
    }
}
