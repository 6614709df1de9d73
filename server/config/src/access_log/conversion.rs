//! One `%(name)-10.3f`, with Python's rules.

use super::FormatError;

/// How a value is written.
// Python has as many flags.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// As what.
    pub kind: Kind,
    /// At least so many characters.
    pub width: usize,
    /// Of a text at most so many characters, of an integer at least so many digits, of a fraction so many decimals.
    pub precision: Option<usize>,
    /// `-`: what fills the width stands to the right.
    pub left: bool,
    /// `0`: zeros fill the width of a number.
    pub zeros: bool,
    /// `+`: a number always has its sign.
    pub plus: bool,
    /// ` `: a number that is not negative begins with a space.
    pub space: bool,
    /// `#`: a fraction without decimals keeps its point.
    pub alternate: bool,
}

/// As what a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `s`.
    Text,
    /// `d`, `i`, `u`.
    Integer,
    /// `f`, `F`.
    Fixed,
}

impl Conversion {
    /// No width and no precision may be more.
    pub const WIDEST: usize = 1000;

    /// Without flags, width and precision.
    pub const fn plain(kind: Kind) -> Self {
        Self {
            kind,
            width: 0,
            precision: None,
            left: false,
            zeros: false,
            plus: false,
            space: false,
            alternate: false,
        }
    }
}

/// Reads what `text` begins with: a name, its conversion, and what comes after them.
pub(super) fn read(text: &str) -> Result<(&str, Conversion, &str), FormatError> {
    let seen = |rest: &str| text[..text.len() - rest.len()].to_owned();
    let failed = |rest: &str| FormatError::Conversion { text: seen(rest) };
    let Some(named) = text.strip_prefix("%(") else {
        let end = text.char_indices().nth(2).map_or(text.len(), |(at, _)| at);
        return Err(failed(&text[end..]));
    };
    let (name, mut rest) = named.split_once(')').ok_or_else(|| failed(""))?;
    let mut read = Conversion::plain(Kind::Text);
    while let Some(flag) = rest.chars().next() {
        match flag {
            '-' => read.left = true,
            '0' => read.zeros = true,
            '+' => read.plus = true,
            ' ' => read.space = true,
            '#' => read.alternate = true,
            _ => break,
        }
        rest = &rest[1..];
    }
    (read.width, rest) = number(rest);
    if let Some(after) = rest.strip_prefix('.') {
        let (precision, after) = number(after);
        (read.precision, rest) = (Some(precision), after);
    }
    // Python takes C's length modifiers, and forgets them.
    rest = rest.strip_prefix(['h', 'l', 'L']).unwrap_or(rest);
    let kind = rest.chars().next().ok_or_else(|| failed(""))?;
    rest = &rest[kind.len_utf8()..];
    read.kind = match kind {
        's' => Kind::Text,
        'd' | 'i' | 'u' => Kind::Integer,
        'f' | 'F' => Kind::Fixed,
        _ => return Err(failed(rest)),
    };
    if read.width.max(read.precision.unwrap_or(0)) > Conversion::WIDEST {
        return Err(FormatError::TooWide { text: seen(rest) });
    }
    Ok((name, read, rest))
}

/// The number a text begins with, 0 if there is none.
fn number(text: &str) -> (usize, &str) {
    let digits = text
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let value = if digits == 0 {
        0
    } else {
        text[..digits].parse().unwrap_or(usize::MAX)
    };
    (value, &text[digits..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const TEXT: Conversion = Conversion::plain(Kind::Text);
    const INTEGER: Conversion = Conversion::plain(Kind::Integer);
    const FIXED: Conversion = Conversion::plain(Kind::Fixed);

    #[rstest]
    #[case("%(a)s", TEXT, "")]
    #[case("%(a)sd", TEXT, "d")]
    #[case("%(a)-10s|", Conversion { left: true, width: 10, ..TEXT }, "|")]
    #[case("%(a).3s", Conversion { precision: Some(3), ..TEXT }, "")]
    #[case("%(a).s", Conversion { precision: Some(0), ..TEXT }, "")]
    #[case("%(a)05d", Conversion { zeros: true, width: 5, ..INTEGER }, "")]
    #[case("%(a)+ i", Conversion { plus: true, space: true, ..INTEGER }, "")]
    #[case("%(a)ld", INTEGER, "")]
    #[case("%(a)#08.0f", Conversion { alternate: true, zeros: true, width: 8, precision: Some(0), ..FIXED }, "")]
    #[case("%(a).7f s", Conversion { precision: Some(7), ..FIXED }, " s")]
    fn it_reads_as_python(#[case] text: &str, #[case] expected: Conversion, #[case] rest: &str) {
        assert_eq!(read(text), Ok(("a", expected, rest)));
    }
}
