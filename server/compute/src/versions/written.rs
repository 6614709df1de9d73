//! Documents as they were written: each says the same to everyone who reaches it by the same name.

use std::cell::RefCell;

use bytes::Bytes;
use serde::Serialize;

use super::Release;
use crate::json;

/// So many are remembered by each thread: clients choose the names they reach us by, and may choose many.
const MOST: usize = 32;

/// Which document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// All versions.
    List,
    /// One of them.
    One(Release),
}

struct Written {
    about: About,
    base: String,
    body: Bytes,
}

#[derive(Default)]
struct Remembered {
    written: Vec<Written>,
    /// The one that makes room for the next.
    oldest: usize,
}

/// The document as it stands at `base`; `make` is asked for one that is not remembered.
pub(super) fn body<T: Serialize>(
    about: About,
    base: &str,
    make: impl FnOnce() -> T,
) -> serde_json::Result<Bytes> {
    thread_local! {
        static REMEMBERED: RefCell<Remembered> = RefCell::default();
    }
    REMEMBERED.with_borrow_mut(|remembered| {
        if let Some(body) = remembered.find(about, base) {
            return Ok(body);
        }
        let body = Bytes::from(json::to_vec(&make())?);
        remembered.keep(about, base, &body);
        Ok(body)
    })
}

impl Remembered {
    fn find(&self, about: About, base: &str) -> Option<Bytes> {
        let same = |written: &&Written| written.about == about && written.base == base;
        Some(self.written.iter().find(same)?.body.clone())
    }

    fn keep(&mut self, about: About, base: &str, body: &Bytes) {
        let written = Written {
            about,
            base: base.to_owned(),
            body: body.clone(),
        };
        if self.written.len() < MOST {
            self.written.push(written);
        } else {
            self.written[self.oldest] = written;
            self.oldest = (self.oldest + 1) % MOST;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_written_once_for_a_name_and_few_are_kept() {
        let mut remembered = Remembered::default();
        let body = |number: usize| Bytes::from(number.to_string());
        for number in 0..=MOST {
            let base = format!("http://{number}");
            remembered.keep(About::List, &base, &body(number));
        }
        assert_eq!(remembered.written.len(), MOST);
        assert_eq!(remembered.find(About::List, "http://0"), None);
        assert_eq!(remembered.find(About::List, "http://32"), Some(body(32)));
        assert_eq!(remembered.find(About::One(Release::V21), "http://1"), None);
        let asked = || -> String { unreachable!("it is remembered") };
        let first = super::body(About::List, "http://a", || "a").unwrap();
        assert_eq!(super::body(About::List, "http://a", asked).unwrap(), first);
        assert_eq!(first, "\"a\"");
    }
}
