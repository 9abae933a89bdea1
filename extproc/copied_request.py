"""Makes the copy of a captured request: its headers, its body and its time limit."""

from __future__ import annotations

from collections.abc import Mapping

from extproc.captured_exchange import CapturedExchange
from extproc.copy_plan import PlannedCopy, readable_body
from extproc.copy_sender import ShadowRequest
from extproc.copyable_bodies import without_storing
from glidepath.telemetry.signals import CopyToTrace


def copy_to_trace(captured: CapturedExchange, planned: PlannedCopy) -> CopyToTrace:
    """Return the facts about a copy that its trace span records."""
    request = captured.exchange.request
    headers = request.headers if request is not None else {}
    path = headers.get(":path", "/")
    place = (captured.workload.name, planned.side.value, planned.backend)
    return CopyToTrace(*place, path, captured.pair_id(planned), planned.kind, headers)


def copied_request(captured: CapturedExchange, planned: PlannedCopy, trace_headers: Mapping[str, str]) -> ShadowRequest:
    """Return the copy of a captured request. The copy tells the server not to store the answer.

    ``trace_headers``: the headers that connect the copy to its trace span.
    """
    exchange = captured.exchange
    headers = {**(exchange.request.headers if exchange.request else {}), **trace_headers}
    headers["x-request-id"] = captured.id
    body, path = exchange.request_body.value(), headers.get(":path", "/")
    readable = readable_body(exchange)
    if readable is not None:
        stored_nowhere = without_storing(path, readable)
        if stored_nowhere is not readable:
            body = stored_nowhere
            headers.pop("content-encoding", None)
    return ShadowRequest(
        workload=captured.workload.name,
        side=planned.side,
        backend=planned.backend,
        path=captured.workload.without_secrets(path),
        headers=headers,
        body=body,
        timeout_s=captured.workload.settings.shadow.timeout,
        client_ended=captured.finished,
    )
