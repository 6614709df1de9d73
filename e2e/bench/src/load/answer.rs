//! Where an answer ends, found as cheaply as can be: all answers of a run are of one shape.

use std::io;

/// How long the parts of an answer are, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    head: usize,
    body: usize,
}

const STATUS: &[u8] = b"HTTP/1.1 200 ";
const END: &[u8] = b"\r\n\r\n";

impl Shape {
    /// The shape of the answer these bytes begin with; `None` while its head is not whole.
    pub fn of(bytes: &[u8]) -> io::Result<Option<Self>> {
        let Some(end) = bytes.windows(END.len()).position(|four| four == END) else {
            return Ok(None);
        };
        let head = String::from_utf8_lossy(&bytes[..end]);
        let first = head.lines().next().unwrap_or_default();
        if !bytes.starts_with(STATUS) {
            return Err(io::Error::other(format!("answered {first:?}")));
        }
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse().ok())?
        });
        let body = length.ok_or_else(|| io::Error::other("an answer without Content-Length"))?;
        Ok(Some(Self {
            head: end + END.len(),
            body,
        }))
    }

    /// How long the answer is.
    pub fn length(self) -> usize {
        self.head + self.body
    }

    /// Whether these bytes are one answer of this shape.
    pub fn fits(self, bytes: &[u8]) -> bool {
        bytes.len() == self.length()
            && bytes.starts_with(STATUS)
            && bytes[..self.head].ends_with(END)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

    #[test]
    fn a_whole_answer() {
        let shape = Shape::of(ANSWER.as_bytes()).unwrap().unwrap();
        assert_eq!(shape, Shape { head: 38, body: 2 });
        assert!(shape.fits(ANSWER.as_bytes()));
        assert!(!shape.fits(&ANSWER.as_bytes()[..39]));
        assert!(!shape.fits(ANSWER.replace("200", "500").as_bytes()));
    }

    #[test]
    fn a_head_that_is_not_whole_yet() {
        let shape = Shape::of(b"HTTP/1.1 200 OK\r\nContent-Le").unwrap();
        assert_eq!(shape, None);
    }

    #[rstest]
    #[case::an_error(
        "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",
        "answered \"HTTP/1.1 503 No\""
    )]
    #[case::no_length(
        "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n",
        "an answer without Content-Length"
    )]
    fn not_what_was_asked_for(#[case] bytes: &str, #[case] said: &str) {
        let error = Shape::of(bytes.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), said);
    }
}
