use super::*;
use rstest::rstest;

fn line(format: &str) -> String {
    let uri: Uri = "http://nova/v2.1/?a=b%20c".parse().unwrap();
    let agent = HeaderValue::from_bytes(b"caf\xe9/1").unwrap();
    let chain = ["192.0.2.1".to_owned(), "10.0.0.2".to_owned()];
    let record = Record {
        chain: &chain,
        peer: "10.0.0.3:4711".parse().unwrap(),
        client: "10.0.0.3",
        method: "GET",
        uri: &uri,
        version: Version::HTTP_11,
        status: 200,
        length: 374,
        took: Duration::from_nanos(1_234_567_891),
        request_id: Some("req-1"),
        microversion: None,
        identity: Some("CN=\"alice\""),
        user_agent: Some(&agent),
    };
    let format = Format::of(&AccessLog {
        format: format.to_owned(),
    })
    .unwrap();
    let mut out = Vec::new();
    let clock = Clock::at(1_528_881_153, 7);
    if format.is_json() {
        record.object(&mut out, &clock, "nova.osapi_compute.wsgi.server");
    } else {
        format.write(&mut out, &clock, &record);
    }
    String::from_utf8(out).unwrap()
}

#[test]
fn nova_s_line_is_nova_s() {
    assert_eq!(
        line(&AccessLog::default().format),
        "192.0.2.1,10.0.0.2,10.0.0.3 \"GET /v2.1/?a=b%20c HTTP/1.1\" status: 200 len: 374 time: 1.2345679"
    );
}

#[rstest]
#[case("%(client_port)s", "4711")]
#[case("[%(date_time)s]", "[13/Jun/2018 09:12:33]")]
#[case("%(method)s|%(path)s|%(protocol)s", "GET|/v2.1/?a=b%20c|HTTP/1.1")]
#[case("%(request_id)s %(microversion)s", "req-1 -")]
#[case("%(client_identity)s", "CN=\"alice\"")]
#[case("%(user_agent)s", "café/1")]
#[case("100%%", "100%")]
// What follows Python 3.11 has printed for the same values.
#[case("%(status_code)5s|", "  200|")]
#[case("%(status_code)-5s|", "200  |")]
#[case("%(method).2s|", "GE|")]
#[case("%(method)6.2s|", "    GE|")]
#[case("%(method).s|", "|")]
#[case("%(body_length)d", "374")]
#[case("%(body_length)06d", "000374")]
#[case("%(body_length)+d", "+374")]
#[case("%(body_length)+06d", "+00374")]
#[case("%(body_length)-+6d|", "+374  |")]
#[case("%(body_length) d", " 374")]
#[case("%(body_length).5d", "00374")]
#[case("%(body_length)8.5d", "   00374")]
#[case("%(body_length)f", "374.000000")]
#[case("%(wall_seconds)f", "1.234568")]
#[case("%(wall_seconds).0f", "1")]
#[case("%(wall_seconds)#.0f", "1.")]
#[case("%(wall_seconds)010.3f", "000001.235")]
#[case("%(wall_seconds)+.3f", "+1.235")]
#[case("%(wall_seconds)-8.3f|", "1.235   |")]
#[case("%(wall_seconds).9f", "1.234567891")]
#[case("%(wall_seconds).12f", "1.234567891000")]
#[case("%(wall_seconds)d", "1")]
#[case("%(wall_seconds)s", "1.234567891")]
fn conversions_are_python_s(#[case] format: &str, #[case] expected: &str) {
    assert_eq!(line(format), expected);
}

#[test]
fn json_has_every_value_as_what_it_is() {
    let object: serde_json::Value = serde_json::from_str(&line("json")).unwrap();
    assert_eq!(
        object,
        serde_json::json!({
            "time": "2018-06-13T09:12:33.007Z",
            "process": std::process::id(),
            "level": "INFO",
            "logger": "nova.osapi_compute.wsgi.server",
            "client_ip": "192.0.2.1",
            "client_port": 4711,
            "date_time": "13/Jun/2018 09:12:33",
            "request_line": "GET /v2.1/?a=b%20c HTTP/1.1",
            "status_code": 200,
            "body_length": 374,
            "wall_seconds": 1.234_567_9,
            "request_id": "req-1",
            "microversion": null,
            "client_identity": "CN=\"alice\"",
            "user_agent": "café/1",
            "method": "GET",
            "path": "/v2.1/?a=b%20c",
            "protocol": "HTTP/1.1",
            "peer_ip": "10.0.0.3",
        })
    );
}
