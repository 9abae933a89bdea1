"""A request without a route of a workload is assigned by its path and host, if Envoy is the cause."""

from __future__ import annotations

import pytest
from envoy.config.core.v3.base_pb2 import RequestMethod
from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry

from extproc.workload_by_path import OVERLOAD, workload_by_path
from extproc.workloads import build_workloads
from glidepath import envoy_names
from glidepath.config import parse_config

WORKLOADS = build_workloads(
    parse_config("""\
backends: {cloud: {url: "http://127.0.0.1:9001"}, onprem: {url: "http://127.0.0.1:9002"}}
workloads:
  chat: {match: {path: /v1/chat/completions}, baseline: cloud, candidate: onprem}
  rest: {match: {path_prefix: /v1/}, baseline: cloud, candidate: onprem}
  host: {match: {path_prefix: /, host: "*.example.com"}, baseline: cloud, candidate: onprem}
  marked: {match: {path: /v1/chat/completions, headers: {x-team: a}, host: a.test}, baseline: cloud, candidate: onprem}
""")
)


def request(path: str, host: str = "h:1", *, method: str = "POST", details: str = OVERLOAD) -> HTTPAccessLogEntry:
    made = HTTPAccessLogEntry()
    made.request.path, made.request.authority = path, host
    made.request.request_method = RequestMethod.Value(method)
    made.response.response_code_details = details
    return made


def name(made: HTTPAccessLogEntry) -> str | None:
    found = workload_by_path(made, WORKLOADS)
    return found.name if found else None


@pytest.mark.parametrize(
    ("path", "host", "workload"),
    [
        ("/v1/chat/completions", "h:1", "chat"),
        ("/v1/chat/completions?stream=1", "h", "chat"),
        ("/v1/chat/completions", "A.test:80", "marked"),
        ("/v1/embeddings", "h", "rest"),
        ("/v1", "h", "rest"),
        ("/v11", "h", None),
        ("/v1/embeddings", "api.Example.com:8443", "host"),
        ("/v2", "example.com", None),
        ("", "", None),
    ],
)
def test_the_most_specific_match_of_path_and_host_decides(path: str, host: str, workload: str | None) -> None:
    assert name(request(path, host)) == workload


def test_without_an_overload_a_workload_that_needs_a_header_is_not_assigned() -> None:
    made = request("/v1/chat/completions", "a.test", details="route_not_found")
    made.common_properties.response_flags.no_route_found = True
    assert name(made) == "chat"


def test_a_request_at_the_route_of_unmatched_requests_is_assigned_by_its_path() -> None:
    made = request("/v1/chat/completions", details="direct_response")
    assert name(made) is None
    made.common_properties.route_name = envoy_names.UNMATCHED_ROUTE
    assert name(made) == "chat"


def test_if_no_route_was_found_only_a_post_is_assigned() -> None:
    for method, workload in (("POST", "chat"), ("GET", None), ("OPTIONS", None)):
        made = request("/v1/chat/completions", method=method, details="route_not_found")
        made.common_properties.response_flags.no_route_found = True
        assert name(made) == workload
