"""Finds failed answers with a success status, using only the access log entry of the request.

An access log entry exists for every request, sampled or not. Captured answers are also checked in full by
extproc/answer_check.py.
"""

from __future__ import annotations

from envoy.config.core.v3.base_pb2 import RequestMethod
from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry

from extproc.grpc_status import logged_grpc_status
from glidepath.answer_faults import AnswerFault

_HTML = ("text/html", "application/xhtml+xml")


def logged_fault(entry: HTTPAccessLogEntry) -> str:
    """Return the kind of fault that the access log entry of a POST request shows, or "" if it shows none.

    An entry can show three faults: a redirection, a web page (by its content type), and an empty body.
    """
    status, response = entry.response.response_code.value, entry.response
    if entry.request.request_method != RequestMethod.POST:
        return ""
    if 300 <= status < 400:
        return AnswerFault.REDIRECT.value
    if not 200 <= status < 300:
        return ""
    kind = response.response_headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _HTML:
        return AnswerFault.WEB_PAGE.value
    if response.response_body_bytes or logged_grpc_status(entry) is not None:  # a gRPC answer may have no message
        return ""
    return AnswerFault.EMPTY_BODY.value
