#!/usr/bin/env python3
"""Records what the real nova 34 answers, as golden data for the Rust tests.

    python3 -m venv nova && nova/bin/pip install nova==34.0.0
    nova/bin/python server/compute/tests/nova34/record.py

Loads nova's own `osapi_compute` pipeline from the api-paste.ini it ships (with keystonemiddleware, which talks to a
stub Keystone that knows no token), calls it in this process as a WSGI server would, and writes one file per topic
beside this script. Needs no database.
"""

import http.server
import io
import json
import os
import pathlib
import re
import sys
import tempfile
import threading
import urllib.parse

HERE = pathlib.Path(__file__).parent
HOST = "nova.example:8774"
KEYSTONE = "http://keystone.example:5000/v3"
REQUEST_ID = re.compile(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Keystone(http.server.BaseHTTPRequestHandler):
    """Gives nova's service user a token, and knows no other."""

    def answer(self, status, body, headers=()):
        body = json.dumps(body).encode()
        self.send_response(status)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path.startswith("/v3/auth/tokens"):
            return self.answer(404, {"error": {"code": 404, "message": "no such token", "title": "Not Found"}})
        base = f"http://127.0.0.1:{self.server.server_port}/v3"
        self.answer(200, {"version": {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": base}]}})

    def do_POST(self):
        endpoint = f"http://127.0.0.1:{self.server.server_port}/v3"
        token = {
            "methods": ["password"], "expires_at": "2999-01-01T00:00:00.000000Z",
            "issued_at": "2026-01-01T00:00:00.000000Z", "audit_ids": ["a"],
            "user": {"id": "u", "name": "nova", "domain": {"id": "default", "name": "Default"}},
            "project": {"id": "p", "name": "service", "domain": {"id": "default", "name": "Default"}},
            "roles": [{"id": "r", "name": "service"}],
            "catalog": [{"type": "identity", "name": "keystone", "id": "k", "endpoints": [
                {"id": i, "interface": i, "region": "R", "region_id": "R", "url": endpoint}
                for i in ("public", "internal", "admin")]}],
        }
        self.answer(201, {"token": token}, [("X-Subject-Token", "t")])

    def log_message(self, *_):
        pass


def load(name):
    """The paste app `name` of the installed nova, with its stock pipelines."""
    stub = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keystone)
    threading.Thread(target=stub.serve_forever, daemon=True).start()
    folder = pathlib.Path(tempfile.mkdtemp())
    (folder / "nova.conf").write_text(f"""
[DEFAULT]
transport_url = fake://
state_path = {folder}
log_file = {folder}/nova.log
use_stderr = false
[wsgi]
api_paste_config = {sys.prefix}/etc/nova/api-paste.ini
[keystone_authtoken]
www_authenticate_uri = {KEYSTONE}
auth_url = http://127.0.0.1:{stub.server_port}/v3
auth_type = password
project_domain_name = Default
user_domain_name = Default
project_name = service
username = nova
password = secret
service_token_roles_required = true
""")
    # As nova.wsgi.osapi_compute does it, without the service record (hence without a database).
    from nova import monkey_patch
    monkey_patch.patch(backend="threading")
    from nova import config, objects
    from nova.api import wsgi
    config.parse_args(["nova-api", "--config-file", str(folder / "nova.conf")])
    objects.register_all()
    return wsgi.Loader().load_app(name)


def environ(lines):
    """A WSGI environ of a request in the notation of README.md, as a server would build it (PEP 3333)."""
    lines = list(lines)
    body = b""
    if "" in lines:
        body = lines[-1].encode("latin-1")
        lines = lines[: lines.index("")]
    method, target = lines[0].split(" ", 1)
    path, _, query = target.partition("?")
    env = {
        "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": urllib.parse.unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query, "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": "192.0.2.1", "SERVER_PORT": "8774",
        "REMOTE_ADDR": "192.0.2.99", "HTTP_HOST": HOST, "wsgi.version": (1, 0), "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr, "wsgi.multithread": True,
        "wsgi.multiprocess": False, "wsgi.run_once": False,
    }
    if body:
        env["CONTENT_LENGTH"] = str(len(body))
    seen = set()
    for line in lines[1:]:
        if line == ":no-host":
            del env["HTTP_HOST"]
            continue
        if line.startswith(":scheme: "):
            env["wsgi.url_scheme"] = line.removeprefix(":scheme: ")
            continue
        name, _, value = line.partition(":")
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = "HTTP_" + key
        value = value.strip()
        env[key] = env[key] + "," + value if key in seen else value
        seen.add(key)
    return env


def call(app, lines):
    """What `app` answers: {"status", "headers", "body"}, or {"raises"} when it lets an exception out (a server: 500)."""
    started = []
    try:
        parts = app(environ(lines), lambda status, headers, exc_info=None: started.append((status, headers)))
        body = b"".join(parts).decode("latin-1")
    except Exception as error:  # noqa: BLE001: whatever gets out is the finding
        return {"raises": type(error).__name__}
    status, headers = started[-1]
    headers = sorted(([name.lower(), REQUEST_ID.sub("req-<uuid>", value)] for name, value in headers),
                     key=lambda header: header[0])
    return {"status": int(status.split()[0]), "headers": headers, "body": body}


def write(path, app, requests):
    """Writes `path`: each different answer once, with all the requests that got it."""
    answers = {}
    for lines in requests:
        answers.setdefault(json.dumps(call(app, lines)), []).append(json.dumps(lines))
    groups = []
    for answer, lines in answers.items():
        fields = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in json.loads(answer).items()]
        fields.append('  "requests": [\n    ' + ",\n    ".join(lines) + "\n  ]")
        groups.append("{\n" + ",\n".join(fields) + "\n}")
    path.write_text("[\n" + ",\n".join(groups) + "\n]\n")
    print(f"{path.name}: {sum(map(len, answers.values()))} requests, {len(answers)} different answers")


METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"]
PROJECT = "6f70656e737461636b20342065766572"
VND = "application/vnd.openstack.compute+json"
ACCEPTS = [
    "*/*", "application/json", VND, "text/html", "application/xml", "application/atom+xml", "text/*", "application/*",
    f"{VND};q=0.9, application/json;q=0.8", f"application/json;q=0.5, {VND};q=0.4", f"{VND}, application/json",
    f"application/json;q=bad, {VND}", f"{VND};q=0", f"*/*;q=0.1, {VND};q=0.01", f"application/*, {VND}",
    f"APPLICATION/JSON;q=0.1, {VND}", "image/png, */*;q=0.5", "", ",", f"{VND} ; q=0.3 , application/json;q=0.2",
    f'{VND};title="a, b"',
]
VERSIONED = ["version=2", "version=2.1", "version=2.0", "version=3", "version=2.10", "version=", 'version="2.1"',
             "version=2.1/servers", "q=0.5;version=2.1", "version=2;version=2.1", " version = 2.1"]

DOCUMENTS = [
    *([f"{method} {path}"] for path in ("/", "/v2", "/v2/", "/v2.1", "/v2.1/") for method in METHODS),
    *([f"GET {path}"] for path in ("//", "///", "/v2//", "/v2.1//", "//v2.1", "//v2.1//", "/v2.1/?x=1", "/?a=b&c=%20",
                                   "/v2.1?limit=1", "/%76%32.1/", "/v2%2E1", "/v2%2F")),
    *([f"GET {path}", f"Accept: {accept}"] for path in ("/", "/v2.1/") for accept in ACCEPTS),
    *([f"GET {path}", f"Accept: application/json;{version}"] for path in ("/", "/v2.1/") for version in VERSIONED),
    ["GET /", f"Accept: {VND};version=2.1"],
    ["GET /", f"Accept: {VND};version=2;q=0.9, application/json;version=2.1;q=0.8"],
    ["GET /", "Accept: text/html;version=2.1"],
    ["GET /", "Accept: */*;version=2.1"],
    *(["GET /", f"Content-Type: application/json;{version}"] for version in VERSIONED),
    ["GET /", "Content-Type: application/json;version=2.1", "Accept: application/json;version=2"],
    ["GET /v2/", "Content-Type: application/json;version=2.1", f"Accept: {VND};version=2.1"],
    # What a Host header, or none, makes of the links.
    *([f"GET {path}", *lines] for path in ("/", "/v2.1/") for lines in (
        ["Host: nova.example"], ["Host: NOVA.Example:8774"], ["Host: nova.example:80"], ["Host: nova.example:443"],
        ["Host: [2001:db8::1]"], ["Host: [2001:db8::1]:8774"], ["Host: 192.0.2.7:80"], ["Host:"], ["Host: a:b:c"],
        ["Host: nova.example:"], ['Host: a"b\\c'], ["Host: caf\xe9.example"], [":no-host"],
        [":scheme: https", "Host: nova.example:443"], [":scheme: https", "Host: nova.example:80"],
        [":scheme: https"], [":scheme: https", ":no-host"])),
    ["GET /", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https", "Forwarded: host=evil.example;proto=https",
     "X-Forwarded-Prefix: /compute"],
    ["GET /v2.1/", "X-Forwarded-Host: evil.example", "X-Forwarded-Prefix: /compute"],
    # Microversions: /v2.1 minds them, / and /v2 do not.
    *([f"GET {path}", line] for path in ("/", "/v2/", "/v2.1/") for line in (
        "OpenStack-API-Version: compute 2.50", "OpenStack-API-Version: compute 2.200",
        "OpenStack-API-Version: compute two")),
    *(["GET /v2.1/", *lines] for lines in (
        ["OpenStack-API-Version: compute latest"], ["OpenStack-API-Version: compute 2.1"],
        ["OpenStack-API-Version: compute 2.104"], ["OpenStack-API-Version: compute 2.105"],
        ["OpenStack-API-Version: compute 2.0"], ["OpenStack-API-Version: compute 1.1"],
        ["OpenStack-API-Version: compute 3.0"], ["OpenStack-API-Version: compute 2.01"],
        ["OpenStack-API-Version: compute 2"], ["OpenStack-API-Version: compute 2.1.1"],
        ["OpenStack-API-Version: compute -2.1"], ["OpenStack-API-Version: compute 2.1 x"],
        ["OpenStack-API-Version: compute   2.30"], ["OpenStack-API-Version: COMPUTE 2.30"],
        ["OpenStack-API-Version: compute LATEST"], ["OpenStack-API-Version: 2.50"],
        ["OpenStack-API-Version: volume 3.1"], ["OpenStack-API-Version: volume 3.1, compute 2.40"],
        ["OpenStack-API-Version: compute 2.40, compute 2.41, volume 3.1"],
        ["OpenStack-API-Version: compute 2.40", "OpenStack-API-Version: compute 2.42"],
        ["OpenStack-API-Version: volume 3.1", "X-OpenStack-Nova-API-Version: 2.20"],
        ["OpenStack-API-Version: compute 2.40", "X-OpenStack-Nova-API-Version: 2.20"],
        ["OpenStack-API-Version:"], ["OpenStack-API-Version: compute"],
        ["X-OpenStack-Nova-API-Version: 2.20"], ["X-OpenStack-Nova-API-Version: latest"],
        ["X-OpenStack-Nova-API-Version: 2.20, 2.21"], ["X-OpenStack-Nova-API-Version:"],
        ["X-OpenStack-Nova-API-Version: 9.9"], ["X-OpenStack-Nova-API-Version: 2.\xe9"],
        ['OpenStack-API-Version: compute 2."1\\'], ["OpenStack-API-Version: compute 2.99999999999999999999999"],
        ["OpenStack-API-Version: compute 4294967297.1"])),
    ["HEAD /v2.1/", "OpenStack-API-Version: compute 2.200"],
    ["HEAD /v2.1/", "OpenStack-API-Version: compute x"],
    ["OPTIONS /v2.1/", "OpenStack-API-Version: compute x"],
    ["GET /v2.1/", "OpenStack-API-Version: compute x", f"Accept: {VND}"],
    ["POST /v2.1/", "OpenStack-API-Version: compute x", "Content-Type: text/html", "", "nonsense"],
    # Bodies: read and thrown away, but they must be JSON.
    *([f"{method} {path}", *lines] for path in ("/", "/v2/", "/v2.1/") for method, lines in (
        ("POST", ["Content-Type: application/json", "", "{}"]), ("POST", ["", '{"a": 1}']),
        ("POST", ["Content-Type: application/json", "", "nonsense"]),
        ("PUT", ["Content-Type: application/json", "", "{"]),
        ("PATCH", ["Content-Type: application/json", "", "nonsense"]),
        ("POST", ["Content-Type: text/html", "", "<p>"]), ("GET", ["Content-Type: text/html"]),
        ("GET", ["Content-Type: text/plain"]), ("POST", ["Content-Type: text/plain", "", "nonsense"]))),
    *(["POST /", "Content-Type: application/json", "", body] for body in (
        "[1, 2]", "NaN", '{"a": 1, "a": 2}', " {} ", "{} x", '"\\ud800"', "\xc3\xa9", '"\xc3\xa9"', "1e999", "01")),
    *(["POST /", f"Content-Type: {type_}"] for type_ in (
        "application/json; charset=utf-8", VND, "Application/JSON", "application/json;version=2", "application/xml",
        "", "json", "text/plain; charset=utf-8", "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded", "application/json ;x", ", application/json")),
    *([f"GET {path}", f"{name}: application/json;version=3"] for path in ("//", "/v2.1//", "//foo")
      for name in ("Accept", "Content-Type")),
    ["GET /", "Accept: text/html", f"Accept: {VND}"],
    ["GET /", 'Accept: "application/json;version=2.1"'],
    ["GET /", "Accept: application/json;q=nan, application/json;version=2.1"],
    ["GET /", f"Accept: application/json; q = 0.2 , {VND};q= 0.3"],
    ["GET /", f"Accept: application/json;level=1 q=0.1, {VND};q=0.5"],
    ["POST /", "Content-Type: application/xml", f"Accept: {VND}"],
    ["HEAD /", "Content-Type: application/xml"],
    ["POST /", "Content-Length: 0"],
    ["GET /?a=%ff"],
    ["GET /v2.1/?a=%ff"],
    ["GET /v2/?a=%ff&b=%c3%a9"],
    ["GET /", "Accept-Language: de"],
    ["GET /", "Origin: http://horizon.example"],
    ["GET /v2.1/", "Origin: http://horizon.example"],
    ["OPTIONS /v2.1/", "Origin: http://horizon.example", "Access-Control-Request-Method: GET"],
    ["GET /v2.1/", "X-Openstack-Request-Id: req-6f70656e-7374-6163-6b20-342065766572"],
    ["GET /v2.1/", "X-Auth-Token: nonsense"],
    ["GET /", "X-Auth-Token: nonsense"],
    ["GET /", "Accept: ;"],
    ["GET /", "Accept: application/json;q"],
    ["POST /", "Content-Type: ;"],
]

# Left out: what hyper refuses before us (`<`, `>` and backquotes in a path), and the empty path, which no HTTP can send.
CHOICES = [
    *([f"{method} /foo"] for method in METHODS),
    *([f"GET {path}"] for path in (
        "/foo/", "//foo//bar", "/foo//", "/v3", "/v3/", "/v3/x", "/v1.1/servers", "/v2.10", "/v2.10/x", "/v2.11",
        "/v2.1x", "/v20", "/V2.1", "/V2.1/servers", "/v", "/v2.", "/v2,1/", "/.", "/..", "/./v2.1", "/../v2.1/", "/favicon.ico",
        "/foo?x=1", "/v3/x?x=/y", "/foo.json", "/foo.xml", "/foo.atom", "/servers.json?x=1", "/healthcheck",
        "/a%20b", "/a%2Fb", "/a%3Fb", "/a%23b", "/%41", "/caf%C3%A9", "/caf%c3%a9", "/%E2%82%AC", "/%F0%9F%92%A9",
        "/a%00b", "/a%0ab", "/%7E~", "/~!$&'()*+,;=:@", "/-._~", "/[x]", "/a|b", '/"', "/a\"b{c}^_", "/a\\b", "/%5c%22",
        "/%25", "/%2541", "/%", "/%zz", "/a%2", "/a;b=c", "/foo/%2F/", "/%2F/foo", "/%2Ffoo", "/+", "/%2B")),
    *(["GET /foo", f"Accept: {accept}"] for accept in ACCEPTS),
    *(["GET /foo", f"Accept: application/json;{version}"] for version in VERSIONED),
    *(["GET /foo", f"Content-Type: application/json;{version}"] for version in VERSIONED),
    ["GET /foo.json", f"Accept: {VND}"],
    ["GET /foo.json", "Accept: application/json;version=2.1"],
    ["GET /foo.vnd.openstack.compute+json"],
    ["GET /foo.vnd.openstack.compute%2Bjson"],
    *(["GET /foo", *lines] for lines in (
        ["Host: nova.example"], ["Host: NOVA.Example:8774"], ["Host: nova.example:80"], ["Host: [2001:db8::1]:8774"],
        ["Host:"], ['Host: a"b'], [":no-host"], [":scheme: https"], [":scheme: https", "Host: nova.example:443"])),
    ["GET /foo", "OpenStack-API-Version: compute 2.50"],
    ["GET /foo", "OpenStack-API-Version: compute nonsense"],
    ["POST /foo", "Content-Type: application/json", "", '{"server": {}}'],
    ["POST /foo", "Content-Type: application/json", "", "nonsense"],
    ["POST /foo", "Content-Type: text/html", "", "<p>"],
    ["GET /foo", "Content-Type: text/html", f"Accept: {VND}"],
    ["GET /foo", "X-Auth-Token: nonsense"],
    ["GET /foo?a=%ff"],
    ["GET /%ff"],
    ["GET /foo/%c3%28"],
]

API = [
    *([f"{method} {path}"] for path in ("/v2.1/servers", "/v2/servers") for method in METHODS),
    *([f"GET {path}"] for path in (
        "/v2.1/flavors/detail?x=1", f"/v2.1/{PROJECT}/servers", "/v2.1/not-hex/servers", f"/v2.1/{PROJECT}", "/v2.1/x",
        "/v2/x", "/v2.1/servers/", "/v2.1//servers", "//v2.1///servers", "/v2.1%2Fservers", "/v2%2E1/servers",
        "/v2.1/servers.json", "/v2.1/.", "/v2.1/..", "/v2.1/../servers", "/v2.1/servers?a=%ff", "/v2.1/%ff", "/v2.1/os-services",
        "/v2.1/extensions", "/v2/v2.1", "/v2.1/v2.1/", "/v2.1/+", "/v2/+")),
    *(["GET /v2.1/servers", f"Accept: {accept}"] for accept in ACCEPTS),
    *(["GET /v2.1/servers", line] for line in (
        "OpenStack-API-Version: compute 2.50", "OpenStack-API-Version: compute latest",
        "OpenStack-API-Version: compute 2.200", "OpenStack-API-Version: compute nonsense",
        "X-OpenStack-Nova-API-Version: 2.3", "X-Auth-Token: nonsense", "X-Auth-Token:", "X-Storage-Token: nonsense",
        "X-Service-Token: nonsense", "Authorization: Basic YTpi", "Accept-Language: de", "Host: other.example",
        "Origin: http://horizon.example", "Content-Type: text/html", "Content-Type: application/json;version=2",
        "X-Openstack-Request-Id: req-6f70656e-7374-6163-6b20-342065766572", "X-User-Id: admin", "X-Roles: admin",
        "X-Identity-Status: Confirmed")),
    ["POST /v2.1/servers", "Content-Type: application/json", "", '{"server": {"name": "x"}}'],
    ["POST /v2.1/servers", "Content-Type: application/json", "", "nonsense"],
    ["POST /v2.1/servers", "Content-Type: text/html", "", "<p>"],
    ["PUT /v2.1/os-services/disable", "Content-Type: application/json", "", '{"host": "a", "binary": "b"}'],
    ["DELETE /v2.1/servers/x", "X-Auth-Token: nonsense"],
    ["GET /v2.1/servers/x?_method=DELETE"],
    ["OPTIONS /v2.1/servers", "Origin: http://horizon.example", "Access-Control-Request-Method: GET"],
    ["OPTIONS /v2.1/servers", "X-Auth-Token: nonsense"],
    ["GET /servers", "Accept: application/json;version=2.1/servers"],
    ["GET /", "Content-Type: application/json;version=2/servers"],
]


if __name__ == "__main__":
    compute = load("osapi_compute")
    for topic, requests in (("documents", DOCUMENTS), ("choices", CHOICES), ("api", API)):
        write(HERE / f"{topic}.json", compute, requests)
