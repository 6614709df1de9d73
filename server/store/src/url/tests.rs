use std::time::Duration;

use rstest::rstest;

use super::*;

fn parsed(url: &str) -> Url {
    Url::parse(url).unwrap_or_else(|error| panic!("{error}"))
}

#[rstest]
#[case("mysql://nova:x@db/nova", Dialect::Mysql)]
#[case("mysql+pymysql://nova:x@db/nova", Dialect::Mysql)]
#[case("mysql+mysqldb://nova:x@db/nova", Dialect::Mysql)]
#[case("mysql+mysqlconnector://nova:x@db/nova", Dialect::Mysql)]
#[case("mariadb+pymysql://nova:x@db/nova", Dialect::Mysql)]
#[case("mariadb+mariadbconnector://nova:x@db/nova", Dialect::Mysql)]
#[case("postgresql://nova:x@db/nova", Dialect::Postgres)]
#[case("postgresql+psycopg2://nova:x@db/nova", Dialect::Postgres)]
#[case("postgresql+psycopg://nova:x@db/nova", Dialect::Postgres)]
#[case("postgresql+asyncpg://nova:x@db/nova", Dialect::Postgres)]
#[case("postgres://nova:x@db/nova", Dialect::Postgres)]
#[case("sqlite:///nova.sqlite", Dialect::Sqlite)]
#[case("sqlite+pysqlite:///nova.sqlite", Dialect::Sqlite)]
fn a_url_of_nova_conf_is_understood(#[case] url: &str, #[case] dialect: Dialect) {
    assert_eq!(parsed(url).dialect(), dialect);
}

type Place = (
    Option<&'static str>,
    Option<&'static str>,
    Option<&'static str>,
    Option<u16>,
    &'static str,
);

#[rstest]
#[case("mysql://db/nova", (None, None, Some("db"), None, "nova"))]
#[case("mysql://nova@db/nova", (Some("nova"), None, Some("db"), None, "nova"))]
#[case("mysql://nova:@db/nova", (Some("nova"), Some(""), Some("db"), None, "nova"))]
#[case("mysql://nova:p%40s%2Fs%3A%25@db:13306/nova", (Some("nova"), Some("p@s/s:%"), Some("db"), Some(13306), "nova"))]
#[case("mysql://no%40va:a/b:c?d@db/nova", (Some("no@va"), Some("a/b:c?d"), Some("db"), None, "nova"))]
#[case("mysql://nova:a+b@db/nova", (Some("nova"), Some("a+b"), Some("db"), None, "nova"))]
#[case("postgresql://nova:x@[fd00::5]:5433/nova", (Some("nova"), Some("x"), Some("fd00::5"), Some(5433), "nova"))]
#[case("postgresql://[::1]/nova", (None, None, Some("::1"), None, "nova"))]
#[case("postgresql:///nova", (None, None, None, None, "nova"))]
#[case("postgresql://nova:x@/nova?host=db&port=5433", (Some("nova"), Some("x"), Some("db"), Some(5433), "nova"))]
#[case("postgresql://db/nova?application_name=a@b", (None, None, Some("db"), None, "nova"))]
#[case(" mysql://nova:x@db/nova\n", (Some("nova"), Some("x"), Some("db"), None, "nova"))]
#[case("sqlite:///nova.sqlite", (None, None, None, None, "nova.sqlite"))]
#[case("sqlite:////var/lib/nova.sqlite", (None, None, None, None, "/var/lib/nova.sqlite"))]
fn its_parts_are_sqlalchemys(#[case] url: &str, #[case] place: Place) {
    let url = parsed(url);
    let found = (
        url.username.as_deref(),
        url.password.as_deref(),
        url.host.as_deref(),
        url.port,
        url.database.as_str(),
    );
    assert_eq!(found, place);
}

#[rstest]
#[case("mysql://db/nova", Verify::IfOffered)]
#[case("mysql://db/nova?ssl_disabled=true", Verify::Off)]
#[case("mysql://db/nova?ssl_cert=c&ssl_key=k", Verify::Any)]
#[case("mysql://db/nova?ssl_ca=ca", Verify::Identity)]
#[case(
    "mysql://db/nova?ssl_ca=ca&ssl_check_hostname=false",
    Verify::Authority
)]
#[case("mysql://db/nova?ssl_ca=ca&ssl_verify_cert=false", Verify::Any)]
#[case("mysql://db/nova?ssl_ca=ca&ssl_verify_cert=true", Verify::Identity)]
#[case("mysql://db/nova?ssl_verify_cert=true", Verify::Identity)]
#[case("mysql://db/nova?ssl_mode=VERIFY_CA", Verify::Authority)]
#[case("postgresql://db/nova", Verify::IfOffered)]
#[case("postgresql://db/nova?sslmode=disable", Verify::Off)]
#[case("postgresql://db/nova?sslmode=require", Verify::Any)]
#[case(
    "postgresql://db/nova?sslmode=require&sslrootcert=ca",
    Verify::Authority
)]
#[case(
    "postgresql://db/nova?sslmode=verify-full&sslrootcert=ca",
    Verify::Identity
)]
#[case("postgresql+asyncpg://db/nova?ssl=verify-ca", Verify::Authority)]
fn tls_is_as_the_drivers_have_it(#[case] url: &str, #[case] verify: Verify) {
    assert_eq!(parsed(url).tls.verify, verify);
}

#[test]
fn parameters_are_taken_in() {
    let url = parsed(
        "mysql+pymysql://nova:x@db/nova?charset=utf8mb3&ssl_ca=/etc/ssl/a%20b.pem&ssl_cert=c&ssl_key=k&connect_timeout=7&unix_socket=/run/my.sock",
    );
    assert_eq!(url.tls.authority, Some("/etc/ssl/a b.pem".into()));
    assert_eq!(url.tls.certificate, Some("c".into()));
    assert_eq!(url.tls.key, Some("k".into()));
    assert_eq!(url.timeout, Some(Duration::from_secs(7)));
    assert_eq!(url.socket, Some("/run/my.sock".into()));
    assert!(url.ignored().is_empty());
    let url = parsed("postgresql://nova@/nova?host=/run/postgresql");
    assert_eq!(url.socket, Some("/run/postgresql".into()));
    assert_eq!(
        parsed("sqlite:///a?timeout=0").timeout,
        None,
        "0 is the default"
    );
}

#[rstest]
#[case("mysql://db/nova?charset=latin1&read_timeout=5&plugin=dbcounter", &["charset", "read_timeout", "plugin"])]
#[case("postgresql://db/nova?keepalives=1&sslmode=disable", &["keepalives"])]
#[case("sqlite:///nova.sqlite?mode=ro", &["mode"])]
fn parameters_without_effect_are_reported(#[case] url: &str, #[case] ignored: &[&str]) {
    assert_eq!(parsed(url).ignored(), ignored);
}

#[rstest]
#[case("", UrlError::NoScheme)]
#[case("nova", UrlError::NoScheme)]
#[case("nova:secret@db/nova", UrlError::NoScheme)]
#[case("nova:secret://db/nova", UrlError::NoScheme)]
#[case("oracle://nova:secret@db/nova", UrlError::Scheme("oracle".into()))]
#[case("mysql+psycopg2://db/nova", UrlError::Driver { dialect: "mysql".into(), driver: "psycopg2".into() })]
#[case("mysql+://db/nova", UrlError::Driver { dialect: "mysql".into(), driver: String::new() })]
#[case("mysql://nova:s@cret@db/nova", UrlError::At)]
#[case("mysql://nova:s@cr:et@db/nova", UrlError::At)]
#[case("mysql://nova:s@/ecret@db/nova", UrlError::At)]
#[case("mysql://nova:%ff@db/nova", UrlError::Encoding("password"))]
#[case("mysql://nova:secret@db:x/nova", UrlError::Port)]
#[case("mysql://nova:secret@db:0/nova", UrlError::Port)]
#[case("mysql://nova:secret@db:70000/nova", UrlError::Port)]
#[case("mysql://nova:secret@[::1/nova", UrlError::Host)]
#[case("mysql://nova:secret@[db]/nova", UrlError::Host)]
#[case("mysql://nova:secret@fd00::5/nova", UrlError::Host)]
#[case("mysql+pymysql://nova:secret@db", UrlError::NoDatabase("mysql+pymysql".into()))]
#[case("mysql://nova:secret@db/?charset=utf8", UrlError::NoDatabase("mysql".into()))]
#[case("sqlite://", UrlError::Memory)]
#[case("sqlite:///", UrlError::Memory)]
#[case("sqlite:///:memory:", UrlError::Memory)]
#[case("sqlite:///file:nova?mode=memory&uri=true", UrlError::Memory)]
#[case("sqlite://nova.sqlite", UrlError::Slashes)]
#[case("mysql://db/nova?ssl_verify_cert=maybe", UrlError::Parameter { name: "ssl_verify_cert".into(), expected: "true or false" })]
fn what_is_not_a_url_is_refused(#[case] url: &str, #[case] expected: UrlError) {
    let error = Url::parse(url).unwrap_err();
    assert_eq!(error, expected);
    for shown in [error.to_string(), format!("{error:?}")] {
        assert!(
            !shown.contains("secret") && !shown.contains("cret@"),
            "{shown}"
        );
    }
}

#[rstest]
#[case(
    "mysql+pymysql://nova:se%63ret@db:3306/nova?ssl_key=secret",
    "mysql+pymysql://nova:***@db:3306/nova"
)]
#[case("postgresql://:secret@[::1]/nova", "postgresql://[::1]/nova")]
#[case("postgresql://nova@db/nova", "postgresql://nova@db/nova")]
#[case("sqlite:////var/lib/nova", "sqlite:////var/lib/nova")]
fn the_password_is_never_shown(#[case] url: &str, #[case] shown: &str) {
    let url = parsed(url);
    assert_eq!(url.to_string(), shown);
    assert_eq!(format!("{url:?}"), format!("Url({shown})"));
}
