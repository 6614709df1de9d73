//! A body in chunks: RFC 9112, section 7.1, to the letter.

use super::Rejection::Malformed;
use super::{Rejection, is_token, is_value};

/// A size line may be that long, and all trailers together.
const LINE: usize = 1024;
/// Bytes of extensions a body may have: nobody uses any, and each chunk could carry some.
const EXTENSIONS: usize = 4096;
/// Lines of trailers.
const TRAILERS: usize = 100;

/// Where in its chunks a body stands.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    place: Place,
    extensions: usize,
}

#[derive(Debug, Default)]
enum Place {
    #[default]
    Size,
    Data(u64),
    DataEnd,
    Trailers,
    End,
}

impl Chunks {
    /// Whether the last chunk and its trailers are complete.
    pub(super) fn ended(&self) -> bool {
        matches!(self.place, Place::End)
    }

    /// How many bytes may pass; `None` if more are needed to say.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<Option<usize>, Rejection> {
        match &mut self.place {
            Place::Size => {
                let Some(line) = line(bytes, LINE)? else {
                    return Ok(None);
                };
                let size = self.size(line)?;
                self.place = if size == 0 {
                    Place::Trailers
                } else {
                    Place::Data(size)
                };
                Ok(Some(line.len() + 2))
            }
            Place::Data(left) => {
                let taken =
                    usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= taken as u64;
                if *left == 0 {
                    self.place = Place::DataEnd;
                }
                Ok(Some(taken))
            }
            Place::DataEnd => match bytes {
                [b'\r'] => Ok(None),
                [b'\r', b'\n', ..] => {
                    self.place = Place::Size;
                    Ok(Some(2))
                }
                _ => Err(Malformed("a chunk longer than its size")),
            },
            Place::Trailers => {
                let Some(length) = trailers(bytes)? else {
                    return Ok(None);
                };
                self.place = Place::End;
                Ok(Some(length))
            }
            Place::End => Ok(Some(0)),
        }
    }

    fn size(&mut self, line: &[u8]) -> Result<u64, Rejection> {
        let digits = line
            .iter()
            .position(|byte| !byte.is_ascii_hexdigit())
            .unwrap_or(line.len());
        let extension = &line[digits..];
        self.extensions += extension.len();
        if self.extensions > EXTENSIONS {
            return Err(Malformed("more chunk extensions than anybody needs"));
        }
        let proper = extension.is_empty()
            || extension.starts_with(b";") && extension.iter().all(|byte| is_value(*byte));
        // 15 digits: no sum of two sizes can overflow.
        let number = std::str::from_utf8(&line[..digits])
            .ok()
            .filter(|_| proper && digits <= 15);
        number
            .and_then(|number| u64::from_str_radix(number, 16).ok())
            .ok_or(Malformed("a chunk size that is no number"))
    }
}

/// All trailers and the empty line after them.
fn trailers(bytes: &[u8]) -> Result<Option<usize>, Rejection> {
    let mut at = 0;
    for _ in 0..=TRAILERS {
        let Some(line) = line(&bytes[at..], LINE - at.min(LINE))? else {
            return Ok(None);
        };
        at += line.len() + 2;
        if line.is_empty() {
            return Ok(Some(at));
        }
        let name = line
            .iter()
            .position(|byte| !is_token(*byte))
            .unwrap_or(line.len());
        let framing = [&b"content-length"[..], b"transfer-encoding", b"host"]
            .iter()
            .any(|framing| line[..name].eq_ignore_ascii_case(framing));
        let proper = name > 0
            && line.get(name) == Some(&b':')
            && line[name..].iter().all(|byte| is_value(*byte));
        if framing || !proper {
            return Err(Malformed("a trailer that is none"));
        }
    }
    Err(Malformed("more trailers than anybody needs"))
}

/// The line that bytes begin with, without its end; `None` if it is not complete.
fn line(bytes: &[u8], most: usize) -> Result<Option<&[u8]>, Rejection> {
    let seen = &bytes[..bytes.len().min(most)];
    match seen.iter().position(|byte| *byte == b'\n') {
        Some(end) => seen[..end].strip_suffix(b"\r").map(Some).ok_or(Malformed(
            "a chunk's line that ends without a carriage return",
        )),
        None if bytes.len() >= most => Err(Malformed("a chunk's line too long")),
        None => Ok(None),
    }
}
