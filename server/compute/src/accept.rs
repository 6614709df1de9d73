//! `Accept` and `Content-Type` as nova reads them (nova: `api/openstack/urlmap.py`), which is not as the RFC does.
//!
//! One thing is unlike: where nova crashes on a header (`Accept: ;`, `;q` or `;version=` without a value), it is taken
//! as if that part were not there.

use std::cmp::Ordering;

/// A value and its parameters: `application/json;version=2.1`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options<'a>(&'a str);

impl<'a> Options<'a> {
    pub(crate) fn of(value: &'a str) -> Self {
        Self(value)
    }

    /// What stands before the parameters.
    fn name(self) -> &'a str {
        self.pairs().next().map_or("", |(name, _)| name)
    }

    /// The last parameter of this name.
    pub(crate) fn parameter(self, name: &str) -> Option<&'a str> {
        self.pairs()
            .skip(1)
            .filter(|(key, _)| *key == name)
            .last()?
            .1
    }

    /// The value and its parameters alike: `key` or `key=value`, between semicolons
    /// (nova: `parse_options_header` and its `_option_header_piece_re`).
    fn pairs(self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        self.0.split(';').filter_map(|piece| {
            let piece = piece.trim_start();
            let (key, rest) = piece.split_at(piece.find([' ', '\t', '=']).unwrap_or(piece.len()));
            let value = rest
                .trim_start()
                .strip_prefix('=')
                .map(str::trim_start)
                .filter(|value| !value.is_empty());
            (!key.is_empty()).then_some((unquote(key), value.map(unquote)))
        })
    }
}

/// Of `supported`, the media type an `Accept` header likes best, and the range that says so: the highest q, then the one
/// with fewer `*`, then the first (nova: `Accept.best_match`).
pub(crate) fn best_match<'a>(
    accept: &'a str,
    supported: &[&'static str],
) -> Option<(&'static str, Options<'a>)> {
    let mut best = None;
    let (mut best_quality, mut best_stars) = (-1.0, 2);
    for &media_type in supported {
        for range in list(accept).map(|item| Options(unquote(item))) {
            let Ok(quality) = range
                .parameter("q")
                .map_or(Ok(1.0), |q| q.trim().parse::<f64>())
            else {
                continue;
            };
            let (mask, stars) = (range.name(), range.name().matches('*').count());
            let better = match quality.partial_cmp(&best_quality) {
                Some(Ordering::Less) => false,
                Some(Ordering::Equal) => stars < best_stars,
                Some(Ordering::Greater) | None => true,
            };
            if better && matches(mask, media_type) {
                best = Some((media_type, range));
                (best_quality, best_stars) = (quality, stars);
            }
        }
    }
    best
}

fn matches(mask: &str, media_type: &str) -> bool {
    match mask.strip_suffix("/*") {
        Some("*") => true,
        Some(major) => media_type
            .split_once('/')
            .is_some_and(|(type_, _)| type_ == major),
        None => mask == media_type,
    }
}

/// The items between commas that are not in quotes (urllib: `parse_http_list`).
fn list(value: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    value
        .split(move |character| {
            let comma = character == ',' && !quoted;
            quoted ^= character == '"' && !escaped;
            escaped = quoted && character == '\\' && !escaped;
            comma
        })
        .map(str::trim)
}

fn unquote(value: &str) -> &str {
    value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const JSON: &str = "application/json";
    const VENDOR: &str = "application/vnd.openstack.compute+json";

    #[rstest]
    #[case("", None)]
    #[case("text/html", None)]
    #[case("*/*", Some(JSON))]
    #[case("application/*, application/vnd.openstack.compute+json", Some(VENDOR))]
    #[case(
        "application/json;q=0.1, application/vnd.openstack.compute+json;q=0.2",
        Some(VENDOR)
    )]
    #[case(
        "application/json;q=x, application/vnd.openstack.compute+json;q=0",
        Some(VENDOR)
    )]
    #[case("\"a, application/json\", text/html", None)]
    #[case("\"a\\\", application/json\", text/html", None)]
    fn the_best_supported_type_is_chosen(#[case] accept: &str, #[case] best: Option<&str>) {
        assert_eq!(
            best_match(accept, &[JSON, VENDOR]).map(|(media_type, _)| media_type),
            best
        );
    }

    #[rstest]
    #[case("application/json;version=2.1", Some("2.1"))]
    #[case("application/json; version = 2.1 ;q=1", Some("2.1 "))]
    #[case("application/json;version=\"2.1\"", Some("2.1"))]
    #[case("application/json;version=2;version=2.1", Some("2.1"))]
    #[case("application/json;version=", None)]
    #[case("version=2.1", None)]
    #[case(";", None)]
    fn parameters_are_found(#[case] value: &str, #[case] version: Option<&str>) {
        assert_eq!(Options(value).parameter("version"), version);
    }
}
