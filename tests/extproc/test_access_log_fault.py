"""Answers that an access log entry shows to have failed, although their status says success."""

from __future__ import annotations

import pytest
from envoy.config.core.v3.base_pb2 import RequestMethod
from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry

from extproc.access_log_fault import logged_fault


def entry(
    status: int, kind: str = "application/json", size: int = 10, method: int = RequestMethod.POST
) -> HTTPAccessLogEntry:
    made = HTTPAccessLogEntry()
    made.request.request_method = method
    made.response.response_code.value = status
    made.response.response_headers["content-type"] = kind
    made.response.response_body_bytes = size
    return made


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (entry(200), ""),
        (entry(200, ""), ""),
        (entry(200, "text/event-stream"), ""),
        (entry(307, size=0), "redirect"),
        (entry(302, "text/html"), "redirect"),
        (entry(200, "text/html; charset=utf-8"), "web_page"),
        (entry(200, "Text/HTML"), "web_page"),
        (entry(200, size=0), "empty_body"),
        (entry(204, size=0), "empty_body"),
        (entry(200, "application/grpc", size=0), "empty_body"),  # without a status, which every answer of gRPC has
        (entry(404, "text/html"), ""),
        (entry(502, size=0), ""),
        (entry(0, size=0), ""),
        (entry(200, size=0, method=RequestMethod.HEAD), ""),
        (entry(302, method=RequestMethod.GET), ""),
        (entry(200, "text/html", method=RequestMethod.GET), ""),
    ],
)
def test_an_entry_shows_redirections_web_pages_and_empty_bodies_of_posts(made: HTTPAccessLogEntry, kind: str) -> None:
    assert logged_fault(made) == kind
