//! Why a request or a connection was refused or given up: the label of a metric, so a bounded set.

use crate::http1::Rejection;

/// Values of the label `reason`, in the order of [`Reason`].
pub const REASONS: [&str; 11] = [
    "url_too_long",
    "header_line_too_long",
    "headers_too_large",
    "malformed",
    "body_too_large",
    "head_timeout",
    "body_timeout",
    "answer_timeout",
    "proxy_header",
    "flood",
    "protocol",
];

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// 414.
    UrlTooLong,
    /// 400 Header Line Too Long.
    HeaderLineTooLong,
    /// 400 Headers Too Large.
    HeadersTooLarge,
    /// 400: no request, or one that could be understood in two ways.
    Malformed,
    /// 413.
    BodyTooLarge,
    /// No end of a request's head.
    HeadTimeout,
    /// No end of a request's body.
    BodyTimeout,
    /// An answer that its client does not read.
    AnswerTimeout,
    /// No PROXY header, a bad one, or one from somebody who may not send any.
    ProxyHeader,
    /// An HTTP/2 flood.
    Flood,
    /// What the HTTP library did not accept.
    Protocol,
}

impl Reason {
    /// Its place in [`REASONS`].
    pub fn place(self) -> usize {
        self as usize
    }
}

impl From<Rejection> for Reason {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::UrlTooLong => Self::UrlTooLong,
            Rejection::HeaderLineTooLong => Self::HeaderLineTooLong,
            Rejection::HeadersTooLarge => Self::HeadersTooLarge,
            Rejection::Malformed(_) => Self::Malformed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own_name() {
        assert_eq!(REASONS[Reason::UrlTooLong.place()], "url_too_long");
        assert_eq!(REASONS[Reason::HeadTimeout.place()], "head_timeout");
        assert_eq!(Reason::Protocol.place(), REASONS.len() - 1);
    }
}
