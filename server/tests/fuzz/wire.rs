//! What clients and load balancers send before any app sees it: heads of requests, bodies in chunks, PROXY headers.

use kilonova_server::http1::{Framing, Limits};
use kilonova_server::proxy_protocol;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::bytes::edited;
use crate::cases;

const REQUESTS: &[&str] = &[
    "GET /v2.1/ HTTP/1.1\r\nHost: nova\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: nova\r\nContent-Length: 4\r\n\r\nabcdGET / HTTP/1.1\r\nHost: nova\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: nova\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nabcd\r\n0\r\nTrailer: x\r\n\r\n",
];
const REQUEST_WORDS: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    " ",
    "\t",
    ":",
    "Content-Length: 4\r\n",
    "Content-Length: +4\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: xchunked\r\n",
    "Host: nova\r\n",
    "HTTP/1.0",
    "HTTP/0.9",
    "\0",
    "ffffffffffffffff",
    "0\r\n",
    ";",
    "GET http://nova/ HTTP/1.1\r\n",
];
const PROXIES: &[&[u8]] = &[
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\nGET / HTTP/1.1\r\n",
    b"PROXY UNKNOWN\r\n",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\x03\xe8\0\x50",
];
const PROXY_WORDS: &[&str] = &[
    "PROXY ", "TCP6 ", "::1 ", "\r\n", " ", "65536", "\0", "QUIT\n", "\u{21}",
];

const LIMITS: Limits = Limits {
    request_line: 8192,
    header_line: 16_384,
};

fn texts(samples: &[&str]) -> Vec<Vec<u8>> {
    samples
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect()
}

/// How much of a stream is let through that comes in these pieces; `None` when something of it is refused.
fn judged(pieces: &[&[u8]]) -> Option<usize> {
    let mut framing = Framing::new(LIMITS);
    let (mut waiting, mut passed) = (Vec::new(), 0);
    for piece in pieces {
        waiting.extend_from_slice(piece);
        let advance = framing.advance(&waiting);
        if advance.rejected.is_some() {
            return None;
        }
        waiting.drain(..advance.pass);
        passed += advance.pass;
    }
    Some(passed)
}

proptest! {
    #![proptest_config(cases(150_000))]

    #[test]
    fn a_stream_means_the_same_however_it_is_cut(
        stream in edited(texts(REQUESTS), REQUEST_WORDS), at in any::<Index>()
    ) {
        let (head, tail) = stream.split_at(at.index(stream.len() + 1));
        prop_assert_eq!(judged(&[&stream]), judged(&[head, tail]));
    }

    #[test]
    fn proxy_headers_that_are_nearly_right(
        header in edited(PROXIES.iter().map(|header| header.to_vec()).collect(), PROXY_WORDS)
    ) {
        if let Err(malformed) = proxy_protocol::read(&header) {
            prop_assert!(!malformed.to_string().is_empty());
        }
    }
}
