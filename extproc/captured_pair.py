"""Makes a pair of a client's answer and the answer to a copy of the same request."""

from __future__ import annotations

from extproc.captured_exchange import CapturedExchange
from extproc.copy_plan import PlannedCopy
from extproc.copy_sender import ShadowAnswer
from extproc.write_buffer import RawPair
from glidepath.pairs import Answer, Ending, Pair
from glidepath.sides import Origin


def raw_pair(captured: CapturedExchange, planned: PlannedCopy, answered: ShadowAnswer) -> RawPair:
    """Return the pair of the client's answer and a copy's answer. The bodies in the pair are not yet decoded."""
    exchange, workload = captured.exchange, captured.workload
    request, response = exchange.request, exchange.response
    if request is None or response is None:  # pragma: no cover - a COMPLETE exchange has both
        raise AssertionError("a pair needs a request and an answer")
    served = workload.clusters[request.cluster]
    first = Answer(
        side=served,
        origin=Origin.LIVE,
        backend=workload.backend(served),
        status=response.status,
        content_type=response.headers.get("content-type", "")[:256],
        body=exchange.response_body.value(),
        body_cut=exchange.response_body.cut,
        ending=Ending.COMPLETE,
        first_byte_ms=exchange.first_byte_ms,
        total_ms=exchange.total_ms,
    )
    pair = Pair(
        id=captured.pair_id(planned),
        workload=workload.name,
        kind=planned.kind,
        captured_at_ms=captured.captured_at_ms,
        method=request.headers.get(":method", ""),
        path=workload.without_secrets(request.headers.get(":path", "")),
        request_body=exchange.request_body.value(),
        first=first,
        second=answered.answer,
        request_cut=exchange.request_body.cut,
        request_content_type=request.headers.get("content-type", "")[:256],
        sticky=workload.sticky(request.headers.get(workload.sticky_header, "")) if workload.sticky_header else "",
        served=captured.served,
        both_copied=captured.both_copied,
        traceparent=captured.traceparents.get(planned.kind, ""),
    )
    return RawPair(
        pair,
        request.headers.get("content-encoding", ""),
        response.headers.get("content-encoding", ""),
        answered.encoding,
    )
