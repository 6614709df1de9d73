//! What people write into settings: formats of the access log, and database URLs.

use kilonova_config::AccessLog;
use kilonova_server::access_log::Format;
use kilonova_store::Url;
use proptest::prelude::*;

use crate::bytes::edited;
use crate::cases;

const FORMATS: &[&str] = &[
    "%(client_ip)s \"%(request_line)s\" status: %(status_code)s len: %(body_length)s time: %(wall_seconds).7f",
    "%(wall_seconds)-12.3f|%(status_code)+05d|%(user_agent)10.4s|%%",
    "json",
];
const FORMAT_WORDS: &[&str] = &[
    "%",
    "%%",
    "%(",
    ")",
    ")s",
    ")d",
    ")f",
    "%(status_code)",
    "%(wall_seconds)",
    ".",
    "-",
    "+",
    "#",
    "0",
    " ",
    "*",
    "99999999999",
    "é",
    "%(é)s",
];
const URLS: &[&str] = &[
    "mysql+pymysql://nova:p%40ss%2Fw@db.example:3306/nova?charset=utf8&ssl_ca=/etc/ssl/db.pem",
    "postgresql+psycopg2://nova:hunter2@[2001:db8::1]:5432/nova?sslmode=verify-full&connect_timeout=3",
    "sqlite:////var/lib/nova.sqlite?timeout=5",
    "mariadb://nova@/nova?unix_socket=/run/db.sock",
];
const URL_WORDS: &[&str] = &[
    "://", ":", "@", "/", "//", "?", "&", "=", "%", "%00", "%zz", "[", "]", "[::1]", "+",
    "hunter2", "sslmode=", "ssl_ca=", "99999", "\0", "é",
];

fn texts(samples: &[&str]) -> Vec<Vec<u8>> {
    samples
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect()
}

proptest! {
    #![proptest_config(cases(100_000))]

    #[test]
    fn formats_that_are_nearly_right(format in edited(texts(FORMATS), FORMAT_WORDS)) {
        let settings = AccessLog { format: String::from_utf8_lossy(&format).into_owned() };
        match (settings.parts(), Format::of(&settings)) {
            (Ok(_), Ok(_)) => {}
            (Err(error), Err(_)) => prop_assert!(!error.to_string().is_empty()),
            (parts, _) => prop_assert!(false, "{parts:?}"),
        }
    }

    #[test]
    fn urls_that_are_nearly_right(url in edited(texts(URLS), URL_WORDS)) {
        let text = String::from_utf8_lossy(&url);
        match Url::parse(&text) {
            Ok(url) => {
                let shown = format!("{url} {url:?}");
                // Where the edits left the password one, it must not be seen.
                let secret = text.contains(":hunter2@") && text.matches("hunter2").count() == 1;
                prop_assert!(!secret || !shown.contains("hunter2"), "{}", shown);
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}
