//! Paths as nova takes them apart.

use percent_encoding::percent_decode_str;

/// The path from `/`, percent-decoded, with `.`, `..`, repeated and trailing slashes resolved
/// (Python: `posixpath.normpath`): `/ec2//../openstack/` is `openstack`.
pub(crate) fn normal(path: &str) -> Vec<u8> {
    let mut names: Vec<&[u8]> = Vec::new();
    let decoded: std::borrow::Cow<[u8]> = percent_decode_str(path).into();
    for name in decoded.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => drop(names.pop()),
            _ => names.push(name),
        }
    }
    names.join(&b'/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("/", "")]
    #[case("//./", "")]
    #[case("/../..", "")]
    #[case("/openstack/", "openstack")]
    #[case("/ec2//../openstack/.", "openstack")]
    #[case("/x%2F..%2f%65c2", "ec2")]
    #[case("/...", "...")]
    #[case("/latest/meta-data/", "latest/meta-data")]
    fn paths_are_normalised(#[case] path: &str, #[case] normalised: &str) {
        assert_eq!(normal(path), normalised.as_bytes());
    }
}
