#!/usr/bin/env python3
"""Records what the real nova 34 answers for the metadata API; see server/compute/tests/nova34/record.py.

    nova/bin/python server/metadata/tests/nova34/record.py

nova looks the caller's instance up before anything but `/`. Here the lookup is replaced: by one that finds an instance
for lists.json, by one that finds none for unknown.json.
"""

import datetime
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2] / "compute" / "tests" / "nova34"))
import record  # noqa: E402

METHODS = record.METHODS
LISTS = [
    *([f"{method} {path}"] for path in ("/", "/ec2", "/openstack") for method in METHODS),
    *([f"GET {path}"] for path in (
        "//", "/.", "/./", "/..", "/../..", "/x/..", "/%2e", "/?x=1", "/?a=%ff", "/ec2/", "//ec2//", "/ec2/.", "/./ec2",
        "/x/../ec2", "/ec2?x=1", "/%65c2", "/openstack/", "//openstack//", "/openstack/.", "/ec2/../openstack",
        "/openstack/x/..", "/openstack/latest/../", "/openstack?x=1", "/%6Fpenstack", "/x%2F../openstack")),
    *([f"GET {path}", line] for path in ("/", "/ec2", "/openstack") for line in (
        "Accept: application/json", "Accept: text/html", "Content-Type: text/html", "X-Instance-ID: x",
        "Origin: http://horizon.example", "Host: 169.254.169.254")),
    ["POST /", "", "nonsense"],
]
UNKNOWN = [
    *([f"{method} /latest"] for method in METHODS),
    *([f"GET {path}"] for path in (
        "/latest/", "/latest/meta-data", "/latest/meta-data/", "/latest/user-data", "/2009-04-04", "/1.0/", "/ec2/latest",
        "/openstack/latest", "/openstack/latest/meta_data.json", "/openstack/2012-08-10", "/openstack/content",
        "/openstack/latest/password", "/foo", "/EC2", "/openstack2", "/ec2x", "/openstack%20", "/favicon.ico", "/...",
        "/ec2/../x", "/%00", "/latest?x=1", "/latest?a=%ff", "/caf%C3%A9", "/latest/meta-data/../../x")),
    *(["GET /latest", f"Accept: {accept}"] for accept in (
        *record.ACCEPTS, "text/html;q=0", "text/html;q=0, */*", "text/html;level=1", "text/html;level=1, text/*;q=0.3",
        "text/html;q=0.5, application/json", "text/html;q=0.5, application/json;q=0.5", "application/json, text/html",
        "text/*;q=0.2, application/*;q=0.3", "*/*;q=0.5, text/html;q=0.1", "TEXT/HTML", "Application/Json",
        "application/json;charset=utf-8", "text/html;q=0.1234", "text/html;q=1.001", "text/html;q=2", "text/html;q=",
        "text/html;q=.5", "application/json;q=0.", "application/json;q=1.000", "application/json;Q=0.7, text/html;q=0.6",
        "text", "text/", "/html", "application/json,", "application/json,,", ",application/json", ",,application/json",
        ", application/json", ", ,application/json", "application/json , ", "application/json text/html", "application/json;x",
        "application/json;q=1;x", "application/json;q=1;x=y", 'application/json;q=1;x="a, text/html"',
        'application/json;x="y"', 'application/json;x="y', 'image/png;x="\\\\", application/json',
        'image/png;x="\\"", application/json', 'image/png;x="\xe9", application/json', "application/json;x=\xe9",
        "application/json ; q=0.5", "application/json ;\tq=0.5", "application/json; q =0.5", "application/json; q= 0.5",
        "*", "*/html", "text/html;q=0, application/json;q=0", "text/html;q=0.5, text/html;q=0.9, application/json;q=0.7",
        "application/json;q=0.5;q=0.9", "image/png;q=0.5;q=x, application/json", "a/b/c", "application/json;=", "@/x",
        "application/*;v=1", "*/*;v=1;q=0.1, application/json", "text/html;q=0.0, */*;q=0.001")),
    ["GET /latest", "Accept: text/html;q=0.5", "Accept: application/json"],
    ["HEAD /latest", "Accept: application/json"],
    ["GET /latest", "X-Instance-ID: x", "X-Tenant-ID: y", "X-Instance-ID-Signature: z"],
    ["GET /caf%C3", "Accept: text/html"],
]


def main():
    app = record.load("metadata")
    from nova.api.metadata import base, handler

    instance = base.InstanceMetadata.__new__(base.InstanceMetadata)
    instance.instance = None
    handler.MetadataRequestHandler.get_metadata_by_remote_address = lambda self, address: instance
    record.write(HERE / "lists.json", app, LISTS)

    dates = {}
    real = base.timeutils.utcnow
    for day in ("2012-08-09", "2012-08-10", "2016-06-30", "2020-10-13", "2025-04-03", "2025-04-04", "2999-01-01"):
        base.timeutils.utcnow = lambda day=day: datetime.datetime.fromisoformat(day)
        dates[day] = record.call(app, ["GET /openstack"])["body"]
    base.timeutils.utcnow = real
    (HERE / "dates.json").write_text(json.dumps(dates, indent=1) + "\n")

    handler.MetadataRequestHandler.get_metadata_by_remote_address = lambda self, address: None
    record.write(HERE / "unknown.json", app, UNKNOWN)


if __name__ == "__main__":
    main()
