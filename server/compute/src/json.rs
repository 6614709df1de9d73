//! JSON as Python's `json.dumps` writes it: `", "` and `": "` between things, only ASCII, floats as `repr`.
//!
//! Every answer of the API is written so: equal to nova's byte for byte, which is also how it is tested.
//! One thing is unlike: a float that is not finite is `null`, not `NaN`, which is no JSON.

use std::io::{self, Write};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

/// Serializes as Python would. Fails only if `value` does: on a map with keys that are not strings, for one.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(1024);
    value.serialize(&mut serde_json::Serializer::with_formatter(
        &mut bytes, Python,
    ))?;
    // It may wait for its client for long.
    bytes.shrink_to_fit();
    Ok(bytes)
}

/// So many headers an answer has in the end: room for all of them is made once.
const HEADERS: usize = 8;

/// An answer with a JSON body; a `value` that cannot be written is a bare 500.
pub(crate) fn response<T: Serialize>(
    status: StatusCode,
    media_type: &'static str,
    value: &T,
) -> Response {
    ready(status, media_type, to_vec(value).map(Bytes::from))
}

/// An answer with a body that is JSON already.
pub(crate) fn ready(
    status: StatusCode,
    media_type: &'static str,
    body: serde_json::Result<Bytes>,
) -> Response {
    let Ok(bytes) = body else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.reserve(HEADERS);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// The defaults of Python's `json.dumps`, for [`serde_json::Serializer::with_formatter`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Python;

impl Formatter for Python {
    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn write_f32<W: ?Sized + Write>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        let mut shortest = Vec::with_capacity(24);
        CompactFormatter.write_f32(&mut shortest, value)?;
        write_repr(writer, &shortest)
    }

    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        let mut shortest = Vec::with_capacity(24);
        CompactFormatter.write_f64(&mut shortest, value)?;
        write_repr(writer, &shortest)
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        // Nearly every text is plain: bytes are looked at many at a time, characters one by one.
        let plain = |byte: u8| matches!(byte, b' '..=b'~');
        if fragment.bytes().fold(true, |all, byte| all & plain(byte)) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some(at) = rest.find(|character: char| !matches!(character, ' '..='~')) {
            let (plain, special) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let mut characters = special.chars();
            if let Some(character) = characters.next() {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
            rest = characters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        match escape {
            CharEscape::Quote => writer.write_all(b"\\\""),
            CharEscape::ReverseSolidus => writer.write_all(b"\\\\"),
            CharEscape::Solidus => writer.write_all(b"/"),
            CharEscape::Backspace => writer.write_all(b"\\b"),
            CharEscape::FormFeed => writer.write_all(b"\\f"),
            CharEscape::LineFeed => writer.write_all(b"\\n"),
            CharEscape::CarriageReturn => writer.write_all(b"\\r"),
            CharEscape::Tab => writer.write_all(b"\\t"),
            CharEscape::AsciiControl(byte) => write!(writer, "\\u{byte:04x}"),
        }
    }
}

/// Python's `repr` of a float, from `serde_json`'s: the digits are the same, but an exponent has a sign and at least two
/// digits, and is used below 1e-4 already, not only below 1e-5.
fn write_repr<W: ?Sized + Write>(writer: &mut W, shortest: &[u8]) -> io::Result<()> {
    let (sign, digits) = shortest.split_at(usize::from(shortest.starts_with(b"-")));
    writer.write_all(sign)?;
    if let Some(at) = digits.iter().position(|byte| *byte == b'e') {
        let (mantissa, exponent) = (&digits[..at], &digits[at + 1..]);
        let (sign, exponent) = match exponent {
            [b'-', digits @ ..] => ("e-", digits),
            [b'+', digits @ ..] | digits => ("e+", digits),
        };
        writer.write_all(mantissa)?;
        writer.write_all(sign.as_bytes())?;
        if exponent.len() < 2 {
            writer.write_all(b"0")?;
        }
        return writer.write_all(exponent);
    }
    match digits.strip_prefix(b"0.0000") {
        Some([first]) => writer.write_all(&[*first, b'e', b'-', b'0', b'5']),
        Some([first, rest @ ..]) => {
            writer.write_all(&[*first, b'.'])?;
            writer.write_all(rest)?;
            writer.write_all(b"e-05")
        }
        _ => writer.write_all(digits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    /// Each right-hand side is what `python3 -c 'import json; print(json.dumps(…))'` printed.
    #[rstest]
    #[case(json!({"a": 1, "b": [true, null], "c": {}, "d": []}), r#"{"a": 1, "b": [true, null], "c": {}, "d": []}"#)]
    #[case(json!([[], [[]], {"a": {"b": []}}]), r#"[[], [[]], {"a": {"b": []}}]"#)]
    #[case(json!("plain ~ text / <&>"), r#""plain ~ text / <&>""#)]
    #[case(json!("\"\\\n\r\t\u{8}\u{c}\0\u{1f}\u{7f}"), r#""\"\\\n\r\t\b\f\u0000\u001f\u007f""#)]
    #[case(json!("caf\u{e9} \u{20ac} \u{1f4a9}\u{ffff}"), r#""caf\u00e9 \u20ac \ud83d\udca9\uffff""#)]
    #[case(json!({"\u{e9}": 0}), r#"{"\u00e9": 0}"#)]
    #[case(json!([0.0, -0.0, 1.0, 1.5, -2.25, 100.0, 0.1]), "[0.0, -0.0, 1.0, 1.5, -2.25, 100.0, 0.1]")]
    #[case(json!([1e15, 1e16, 1.5e16, 123_456_789.125]), "[1000000000000000.0, 1e+16, 1.5e+16, 123456789.125]")]
    #[case(json!([1e-4, 1e-5, -1.5e-5, 1.25e-7, 0.00012]), "[0.0001, 1e-05, -1.5e-05, 1.25e-07, 0.00012]")]
    #[case(json!(-759_792_767_000_299.0 - 0.25), "-759792767000299.2")]
    #[case(json!([1e300, 5e-324, f64::MAX]), "[1e+300, 5e-324, 1.7976931348623157e+308]")]
    #[case(json!([u64::MAX, i64::MIN]), "[18446744073709551615, -9223372036854775808]")]
    #[case(json!(f64::NAN), "null")]
    fn written_as_python_writes(#[case] value: serde_json::Value, #[case] text: &str) {
        assert_eq!(String::from_utf8(to_vec(&value).unwrap()).unwrap(), text);
    }

    #[test]
    fn a_float_of_32_bits_has_its_own_digits() {
        assert_eq!(to_vec(&0.1_f32).unwrap(), b"0.1");
    }
}
