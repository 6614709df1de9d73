//! Request headers as a WSGI application sees them.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};

/// The text of a header, several lines of it joined by commas (PEP 3333: bytes are Latin-1 characters).
pub(crate) fn text(headers: &HeaderMap, name: impl Into<HeaderName>) -> Option<Cow<'_, str>> {
    let mut lines = headers
        .get_all(name.into())
        .iter()
        .map(|value| latin1(value.as_bytes()));
    let first = lines.next()?;
    Some(lines.fold(first, |joined, line| Cow::Owned(format!("{joined},{line}"))))
}

/// Latin-1 bytes as text.
pub(crate) fn latin1(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(ascii) if ascii.is_ascii() => Cow::Borrowed(ascii),
        _ => Cow::Owned(bytes.iter().copied().map(char::from).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use http::header::ACCEPT;

    #[test]
    fn lines_are_joined_and_bytes_are_latin1() {
        let mut headers = HeaderMap::new();
        assert_eq!(text(&headers, ACCEPT), None);
        headers.append(ACCEPT, HeaderValue::from_static("a"));
        assert_eq!(text(&headers, ACCEPT).unwrap(), "a");
        headers.append(ACCEPT, HeaderValue::from_bytes(b"\xe9").unwrap());
        assert_eq!(text(&headers, ACCEPT).unwrap(), "a,\u{e9}");
    }
}
