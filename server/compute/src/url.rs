//! Paths and links, as WSGI, webob and nova write them.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// What webob leaves as it is in a path (webob: `request.py:PATH_SAFE`, and what urllib's `quote` never touches).
const UNSAFE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'_')
    .remove(b'.')
    .remove(b'-')
    .remove(b'~')
    .remove(b'/')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// Percent-decodes; a `%` that begins no escape stands for itself (urllib: `unquote_to_bytes`).
pub(crate) fn decode(text: &str) -> Cow<'_, [u8]> {
    percent_decode_str(text).into()
}

/// Percent-encodes a path.
pub(crate) fn quote(path: &[u8]) -> String {
    percent_encode(path, UNSAFE).to_string()
}

/// Several slashes in a row become one (paste: `urlmap.py:URLMap.normalize_url`).
pub(crate) fn collapse(path: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    if !path.windows(2).any(|pair| pair == b"//") {
        return path;
    }
    let mut collapsed = path.into_owned();
    collapsed.dedup_by(|next, kept| *next == b'/' && *kept == b'/');
    Cow::Owned(collapsed)
}

/// A link of three parts; an empty `path` leaves a slash at its end (nova: `api/openstack/common.py:url_join`).
pub(crate) fn join(base: &str, version: &str, path: &str) -> String {
    format!(
        "{}/{version}/{}",
        base.trim_matches('/'),
        path.trim_matches('/')
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("/plain", b"/plain")]
    #[case("/%41%2f%C3%a9", b"/A/\xc3\xa9")]
    #[case("/%", b"/%")]
    #[case("/%4", b"/%4")]
    #[case("/%zz%41", b"/%zzA")]
    #[case("/%2541", b"/%41")]
    fn escapes_are_decoded_once(#[case] text: &str, #[case] bytes: &[u8]) {
        assert_eq!(*decode(text), *bytes);
    }

    #[rstest]
    #[case(b"/a-b_c.d~e/!$&'()*+,;=:@", "/a-b_c.d~e/!$&'()*+,;=:@")]
    #[case(b"/ \"#%?[]\xc3\xa9\0", "/%20%22%23%25%3F%5B%5D%C3%A9%00")]
    fn unsafe_bytes_are_quoted(#[case] path: &[u8], #[case] quoted: &str) {
        assert_eq!(quote(path), quoted);
    }

    #[rstest]
    #[case("///", "/")]
    #[case("/a//b///", "/a/b/")]
    #[case("/a/b", "/a/b")]
    fn slashes_collapse(#[case] path: &str, #[case] collapsed: &str) {
        assert_eq!(*collapse(path.as_bytes().into()), *collapsed.as_bytes());
    }

    #[rstest]
    #[case("http://a", "", "http://a/v2/")]
    #[case("http://a/", "/b/", "http://a/v2/b")]
    #[case("http://", "/b", "http:/v2/b")]
    fn links_are_joined_by_one_slash(#[case] base: &str, #[case] path: &str, #[case] link: &str) {
        assert_eq!(join(base, "v2", path), link);
    }
}
