//! Which shape of an error a request accepts (webob: `acceptparse.py:AcceptValidHeader`; RFC 7231, section 5.3.2).

/// What an error can look like besides plain text, in the order we prefer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `text/html`.
    Html,
    /// `application/json`.
    Json,
}

/// The shape with the highest q; none if none is acceptable. A header that is not well-formed accepts all.
pub fn best(accept: &[u8]) -> Option<Shape> {
    let Some(ranges) = Header(accept).ranges() else {
        return Some(Shape::Html);
    };
    let (html, json) = (
        quality(&ranges, b"text", b"html"),
        quality(&ranges, b"application", b"json"),
    );
    match (html, json) {
        (0, 0) => None,
        _ if html >= json => Some(Shape::Html),
        _ => Some(Shape::Json),
    }
}

/// The q of the most specific range that covers a type, of the first such; 0 if none does.
fn quality(ranges: &[Range], type_: &[u8], subtype: &[u8]) -> u16 {
    let specificity = |range: &Range| {
        let is = |name: &[u8], wanted: &[u8]| name.eq_ignore_ascii_case(wanted);
        if is(range.type_, type_) && is(range.subtype, subtype) {
            // With parameters it covers a variant we do not have.
            (!range.has_parameters).then_some(3)
        } else if is(range.type_, type_) && range.subtype == b"*" {
            Some(2)
        } else {
            (range.type_ == b"*" && range.subtype == b"*").then_some(1)
        }
    };
    let covering = ranges
        .iter()
        .filter_map(|range| Some((specificity(range)?, range.quality)));
    // Of equals `max_by_key` takes the last, webob the first.
    covering
        .rev()
        .max_by_key(|(specificity, _)| *specificity)
        .map_or(0, |(_, quality)| quality)
}

/// One element of an `Accept` header.
#[derive(Debug, PartialEq, Eq)]
struct Range<'a> {
    type_: &'a [u8],
    subtype: &'a [u8],
    has_parameters: bool,
    /// In thousandths.
    quality: u16,
}

/// What is left to read of an `Accept` header.
///
/// Every method reads one thing of RFC 7231's grammar, or reads nothing and says so.
#[derive(Clone, Copy)]
struct Header<'a>(&'a [u8]);

impl<'a> Header<'a> {
    /// All elements, if the whole is well-formed (`Accept.accept_compiled_re`).
    fn ranges(mut self) -> Option<Vec<Range<'a>>> {
        let mut ranges = Vec::new();
        if self.0.is_empty() {
            return Some(ranges);
        }
        if !self.byte(b',') {
            ranges.push(self.range()?);
        }
        while !self.0.is_empty() {
            self.separator(b',').then_some(())?;
            let before = self;
            self.spaces();
            match self.range() {
                Some(range) => ranges.push(range),
                None => self = before,
            }
        }
        Some(ranges)
    }

    /// `type/subtype *( ; parameter ) [ ; q=0.5 *( ; extension ) ]`
    fn range(&mut self) -> Option<Range<'a>> {
        let type_ = self.token()?;
        let subtype = self.byte(b'/').then(|| self.token())??;
        let has_parameters = self.all(Self::parameter) > 0;
        let quality = self.weight();
        if quality.is_some() {
            self.all(Self::extension);
        }
        Some(Range {
            type_,
            subtype,
            has_parameters,
            quality: quality.unwrap_or(1000),
        })
    }

    /// How often something can be read.
    fn all(&mut self, read: fn(&mut Self) -> Option<()>) -> usize {
        let mut times = 0;
        loop {
            let before = *self;
            if read(self).is_none() {
                *self = before;
                return times;
            }
            times += 1;
        }
    }

    /// `; name=value`, where the name is not `q`.
    fn parameter(&mut self) -> Option<()> {
        self.separator_then_spaces()?;
        let name = self.token()?;
        (!name.eq_ignore_ascii_case(b"q") && self.byte(b'=')).then(|| self.value())?
    }

    /// `; name` or `; name=value`
    fn extension(&mut self) -> Option<()> {
        self.separator_then_spaces()?;
        self.token()?;
        self.all(|header| header.byte(b'=').then(|| header.value())?);
        Some(())
    }

    /// `; q=0.5`, in thousandths.
    fn weight(&mut self) -> Option<u16> {
        let before = *self;
        let quality = self.separator_then_spaces().and_then(|()| {
            ((self.byte(b'q') || self.byte(b'Q')) && self.byte(b'=')).then(|| self.quality())?
        });
        if quality.is_none() {
            *self = before;
        }
        quality
    }

    /// `0`, `0.5`, `0.125`, `1`, `1.000`
    fn quality(&mut self) -> Option<u16> {
        let (whole, most) = if self.byte(b'1') {
            (1000, b'0')
        } else {
            self.byte(b'0').then_some((0, b'9'))?
        };
        let mut quality = whole;
        if self.byte(b'.') {
            for unit in [100, 10, 1] {
                match self.0 {
                    [digit @ b'0'..=b'9', rest @ ..] if *digit <= most => {
                        quality += u16::from(digit - b'0') * unit;
                        self.0 = rest;
                    }
                    _ => break,
                }
            }
        }
        Some(quality)
    }

    fn value(&mut self) -> Option<()> {
        if self.token().is_some() {
            Some(())
        } else {
            self.quoted()
        }
    }

    fn quoted(&mut self) -> Option<()> {
        self.byte(b'"').then_some(())?;
        loop {
            self.0 = match self.0 {
                [b'"', rest @ ..] => {
                    self.0 = rest;
                    return Some(());
                }
                [b'\\', b'\t' | b' '..=b'~' | 0x80.., rest @ ..] => rest,
                [b'\\', ..] => return None,
                [b'\t' | b' '..=b'~' | 0x80.., rest @ ..] => rest,
                _ => return None,
            }
        }
    }

    fn token(&mut self) -> Option<&'a [u8]> {
        let is_token =
            |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        let length = self
            .0
            .iter()
            .position(|byte| !is_token(byte))
            .unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(length);
        self.0 = rest;
        (!token.is_empty()).then_some(token)
    }

    fn separator_then_spaces(&mut self) -> Option<()> {
        self.separator(b';').then(|| self.spaces())
    }

    /// A separator, after optional spaces.
    fn separator(&mut self, separator: u8) -> bool {
        self.spaces();
        self.byte(separator)
    }

    fn spaces(&mut self) {
        while self.byte(b' ') || self.byte(b'\t') {}
    }

    fn byte(&mut self, wanted: u8) -> bool {
        match self.0 {
            [byte, rest @ ..] if *byte == wanted => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }
}
