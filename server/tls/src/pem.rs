//! Sections of one kind out of a PEM text, whatever else is in it.

use rustls_pki_types::pem::{Error, PemObject, SectionKind};

/// The sections of a kind; or which section of the text, from 1, cannot be read.
pub(crate) fn sections(text: &[u8], wanted: SectionKind) -> Result<Vec<Vec<u8>>, (usize, Error)> {
    let mut found = Vec::new();
    for (index, section) in <(SectionKind, Vec<u8>)>::pem_slice_iter(text).enumerate() {
        match section {
            Ok((kind, der)) if kind == wanted => found.push(der),
            Ok(_) => {}
            Err(error) => return Err((index + 1, error)),
        }
    }
    Ok(found)
}
