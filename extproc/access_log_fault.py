"""See from an access log entry that an answer with a status of success failed.

This needs no capture, so it covers all traffic, also what is not sampled. The captured answers are checked in full
(extproc/answer_check.py).
"""

from __future__ import annotations

from envoy.config.core.v3.base_pb2 import RequestMethod
from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry

from glidepath.answer_faults import AnswerFault

_HTML = ("text/html", "application/xhtml+xml")


def logged_fault(entry: HTTPAccessLogEntry) -> str:
    """Return the kind of the fault of a POST request's answer as its access log entry shows it, or "" if it shows none.

    The entry shows redirections, web pages by their content type, and empty bodies.
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
    return "" if response.response_body_bytes else AnswerFault.EMPTY_BODY.value
