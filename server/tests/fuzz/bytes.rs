//! Texts that are nearly right.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A change at a place: so many bytes go, and others come.
#[derive(Clone, Debug)]
pub struct Edit {
    at: Index,
    gone: usize,
    come: Vec<u8>,
}

/// One of these texts with a few changes, whose insertions are arbitrary or of these words.
pub fn edited(
    texts: Vec<Vec<u8>>,
    words: &'static [&'static str],
) -> impl Strategy<Value = Vec<u8>> {
    let come = prop_oneof![
        vec(any::<u8>(), 0..6),
        select(words).prop_map(|word| word.as_bytes().to_vec()),
    ];
    let edit = (any::<Index>(), 0_usize..12, come);
    let edit = edit.prop_map(|(at, gone, come)| Edit { at, gone, come });
    (select(texts), vec(edit, 0..6)).prop_map(|(text, edits)| apply(text, &edits))
}

fn apply(mut text: Vec<u8>, edits: &[Edit]) -> Vec<u8> {
    for edit in edits {
        let from = edit.at.index(text.len() + 1);
        let to = text.len().min(from + edit.gone);
        text.splice(from..to, edit.come.iter().copied());
    }
    text
}
