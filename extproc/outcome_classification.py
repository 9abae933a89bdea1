"""Classifies access log entries: what became of a request, and whose fault an error is.

``classify`` is a pure function from Envoy's access log entry to an outcome. It applies these rules in order
(docs/reference/extproc.md describes them for users; response_flags.py says whose fault each response flag shows):

1. Entries whose route belongs to no workload, and entries of running requests, are not counted.
2. If Envoy itself or a filter answered without asking a side (overload, authorisation, rate limit, invalid headers, a
   missing filter or route), the entry is a ``LocalReply``. It is the client's fault if the request was refused, and
   Envoy's if Envoy failed. An entry that does not show the side that the split chose is a ``LocalReply``, too.
3. If the client disconnected first and Envoy recorded no upstream failure, the outcome is ``client_abort``, which is
   not an error of the side. (If capture saw the whole answer, extproc.clients_that_left counts an answered request.) If
   the tee ended a copy because of its timeout and the side had not sent its whole answer, the outcome is the side's
   error ``tee_timeout``.
4. If Envoy switched from the candidate to the baseline, the outcome is the candidate's error ``failover``. ``rescued``
   is True if the baseline answered, False if the baseline failed by rule 6, and None if the client disconnected. If the
   candidate was not asked, because the model in the body could not be replaced, the entry is a ``LocalReply``. If the
   candidate refused the request with a 4xx (``REFUSALS``), the error is ``capability`` or ``rejected_<status>``. If the
   baseline refuses the request, too, the client is at fault.
5. A 429 to a copy is not an error of the side, because the side would have had fewer requests without copies. The entry
   is a ``LocalReply``, and copies pause (extproc/copy_cool_down.py).
6. An upstream flag, a reset during the answer, or a status of 5xx, 408 or 429 is an error of the side. A status of 401
   or 403 is an error of the side if the backend never receives the client's own credential. The status of a gRPC call
   is treated alike (grpc_status.py). An answer to a POST that no client can use although its status says success is an
   error of the side, too: a redirection, a web page, an empty body.
7. Every other request has no error. The remaining 4xx are the client's fault: they count as requests without a latency,
   because a refusal is faster than any answer. (If the other side answers a copy of the same request, extproc.capture
   counts the 4xx as an error after all.)

See ADR 0021 and ADR 0165.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry

from extproc.access_log_fault import logged_fault
from extproc.access_log_latency import answer_ended, logged_latency, time_to_leaving_ms, unanswered_wait_ms
from extproc.access_log_side import is_failover, logged_origin, logged_side, logged_workload
from extproc.access_log_tag_values import FINAL, NO_VALUE
from extproc.grpc_status import GRPC_REFUSALS, WITHOUT_CAPACITY, GrpcStatus, error_of_grpc_status, logged_grpc_status
from extproc.response_flags import Owner, answer_without_side, client_left, side_failure, slow_upload
from extproc.workloads import WorkloadInfo
from glidepath import envoy_names
from glidepath.answer_faults import AnswerFault
from glidepath.outcome_summaries import REFUSALS, AtFault, kind_of_refusal
from glidepath.sides import Origin, Side

MAX_UNIX_MS = 253_402_300_799_999  # the end of the year 9999, protobuf's last Timestamp
DENIED = (401, 403)
NOT_FOUND, RATE_LIMITED = 404, 429
ERROR_STATUS = {408: "http_408", RATE_LIMITED: "rate_limited"}
_KINDS_OF_REFUSALS = {str(status): kind_of_refusal(status) for status in REFUSALS}
_WITHOUT_CAPACITY = (503, 504, 529)  # the server had too many requests, or no time
_PLAIN = re.compile(r"[a-z0-9_]{1,40}")  # the constant part of response code details
TEE_TIMEOUT_SHARE = 0.95  # share of the tee's timeout; Envoy starts its clock a little later than the tee


@dataclass(frozen=True, slots=True)
class RequestOutcome:
    """The outcome of one finished request.

    ``at_ms``: when the request ended, in Unix ms.
    ``error``: the kind of error, or "" if there is none.
    ``latency_ms``, ``ttft_ms``, ``headers_ms``: milliseconds from the end of the request to three events: the last byte
    of the answer's body, the first byte of that body, and the first byte of its headers
    (extproc/access_log_latency.py). None for an error, a 4xx or a client abort, and if the time could not be measured.
    ``duration_ms``: from the start of the request to its end, if it was answered without an error.
    ``untimed``: whether the request was answered without an error, but its latency could not be measured.
    ``rescued``: whether the baseline answered after a failover; None without a failover, or if the client disconnected
    first.
    ``failed_at_both``: whether the baseline, asked after a failover, answered with an error of its own. It did not if a
    time limit ended the request, if the connection broke, or if the status says that it had no capacity.
    ``not_found``: whether the side answered with 404, which is not an error by itself.
    ``refused``: whether the client got a 4xx that is not an error of a side.
    ``aborted_ms``: how long the client waited before it left without a byte of an answer; None for all other requests.
    ``if_complete``: the outcome if capture shows that the client left only after the whole answer had been sent; None
    if it did not leave, or got no answer that may be whole. Its latency then ends when the client left.
    """

    workload: str
    side: Side
    origin: Origin
    at_ms: int
    error: str = ""
    client_abort: bool = False
    failover: bool = False
    latency_ms: float | None = None
    ttft_ms: float | None = None
    headers_ms: float | None = None
    duration_ms: float | None = None
    untimed: bool = False
    rescued: bool | None = None
    not_found: bool = False
    refused: bool = False
    aborted_ms: float | None = None
    failed_at_both: bool = False
    if_complete: RequestOutcome | None = None


@dataclass(frozen=True, slots=True)
class LocalReply:
    """A request that Envoy or one of its filters answered. It is not evidence about a side.

    ``side``: the side that the split chose; None if the entry does not show it.
    ``kind``: the kind of the reply, such as ``overload``.
    """

    workload: str
    side: Side | None
    origin: Origin
    at_ms: int
    at_fault: AtFault
    kind: str


def classify(
    entry: HTTPAccessLogEntry, workloads: Mapping[str, WorkloadInfo], shadow: bool
) -> RequestOutcome | LocalReply | None:
    """Return the outcome of the request that an access log entry describes, or None if the request is not counted.

    ``shadow``: whether the entry comes from the access log of the shadow listener.
    """
    common = entry.common_properties
    workload = logged_workload(entry, workloads, shadow)
    if workload is None or common.access_log_type not in FINAL or common.intermediate_log_entry:
        return None
    side, origin = logged_side(workload, common, shadow), logged_origin(entry, shadow)
    if side is None and shadow:
        return None  # the route of a backend that the workload no longer has
    at_ms = min(max(0, _whole_ms(common.start_time) + _whole_ms(common.duration)), MAX_UNIX_MS)
    reply = _local_reply(entry, side)
    if reply is not None:
        return LocalReply(workload.name, side, origin, at_ms, *reply)
    if side is None:
        return None  # the client left, and nothing says which side it left
    kind = side_failure(entry)
    if side is Side.CANDIDATE and origin is Origin.LIVE and is_failover(workload, common):
        rescued = _rescued(entry, workload, kind)
        if common.custom_tags.get(envoy_names.NOT_RENAMED_TAG, "") not in NO_VALUE and rescued is not False:
            return LocalReply(workload.name, side, origin, at_ms, AtFault.NONE, "not_renamed")
        return _after_failover(workload, entry, at_ms, rescued, failed_at_both=not kind and _answered_an_error(entry))
    if not kind and client_left(entry):
        return _after_abort(entry, workload, side, origin, at_ms)
    if origin is Origin.SHADOW and entry.response.response_code.value == RATE_LIMITED:
        return LocalReply(workload.name, side, origin, at_ms, AtFault.NONE, "copy_rate_limited")
    kind = kind or _status_kind(entry, workload, side) or logged_fault(entry)
    if kind:
        return RequestOutcome(workload.name, side, origin, at_ms, error=kind)
    return _without_error(entry, workload, side, origin, at_ms)


def _after_abort(
    entry: HTTPAccessLogEntry, workload: WorkloadInfo, side: Side, origin: Origin, at_ms: int
) -> RequestOutcome:
    """Return the outcome of a request that its client or the tee ended before the side did."""
    timeout_ms = workload.settings.shadow.timeout * 1000 * TEE_TIMEOUT_SHARE
    timed_out = origin is not Origin.LIVE and _whole_ms(entry.common_properties.duration) >= timeout_ms
    if timed_out and not answer_ended(entry):
        return RequestOutcome(workload.name, side, origin, at_ms, error="tee_timeout")
    complete = None
    if origin is Origin.LIVE and entry.response.response_body_bytes and not _has_failed(entry, workload, side):
        complete = _without_error(entry, workload, side, origin, at_ms, ended_ms=time_to_leaving_ms(entry))
    left = RequestOutcome(workload.name, side, origin, at_ms, client_abort=True, aborted_ms=unanswered_wait_ms(entry))
    return replace(left, if_complete=complete)


def _has_failed(entry: HTTPAccessLogEntry, workload: WorkloadInfo, side: Side) -> bool:
    """Return whether the status of an answer or its entry shows a failure, or a refusal, whose body says nothing."""
    status = entry.response.response_code.value
    refused = status >= 400 or logged_grpc_status(entry) in GRPC_REFUSALS
    return refused or bool(_status_kind(entry, workload, side) or logged_fault(entry))


def _without_error(
    entry: HTTPAccessLogEntry,
    workload: WorkloadInfo,
    side: Side,
    origin: Origin,
    at_ms: int,
    ended_ms: float | None = None,
) -> RequestOutcome:
    """Return the outcome of a request that the side answered, or refused because the client made an error.

    ``ended_ms``: the time to the end of the answer, if Envoy did not see this end.
    """
    status, called = entry.response.response_code.value, logged_grpc_status(entry)
    if status >= 400 or called in GRPC_REFUSALS:
        not_found = status == NOT_FOUND or called is GrpcStatus.NOT_FOUND
        return RequestOutcome(workload.name, side, origin, at_ms, not_found=not_found, refused=True)
    latency = logged_latency(entry)
    total_ms = ended_ms if latency.total_ms is None else latency.total_ms
    return RequestOutcome(
        workload.name,
        side,
        origin,
        at_ms,
        latency_ms=total_ms,
        ttft_ms=latency.ttft_ms,
        headers_ms=latency.headers_ms,
        duration_ms=max(_whole_ms(entry.common_properties.duration), 0),
        untimed=total_ms is None,
    )


def _after_failover(
    workload: WorkloadInfo, entry: HTTPAccessLogEntry, at_ms: int, rescued: bool | None, *, failed_at_both: bool
) -> RequestOutcome:
    """Return the outcome of a candidate's request that Envoy then sent to the baseline.

    If both sides refused the request, the client is at fault.
    """
    side, origin = Side.CANDIDATE, Origin.LIVE
    refused = entry.common_properties.custom_tags.get(envoy_names.REFUSED_TAG, "")
    refusal, not_found = _KINDS_OF_REFUSALS.get(refused), refused == str(NOT_FOUND)
    if refusal and rescued and 400 <= entry.response.response_code.value < 500:
        return RequestOutcome(workload.name, side, origin, at_ms, not_found=not_found, refused=True)
    kind = refusal or (AnswerFault.REDIRECT.value if refused.startswith("3") else "failover")
    outcome = RequestOutcome(workload.name, side, origin, at_ms, error=kind, failover=True, rescued=rescued)
    outcome = replace(outcome, not_found=not_found, failed_at_both=rescued is False and failed_at_both)
    if rescued is None and entry.response.response_body_bytes and not _has_failed(entry, workload, Side.BASELINE):
        outcome = replace(outcome, if_complete=replace(outcome, rescued=True))
    return outcome


def _local_reply(entry: HTTPAccessLogEntry, side: Side | None) -> tuple[AtFault, str] | None:
    """Return the party at fault and the kind of the reply if Envoy or a filter answered, or None if a side answered."""
    status = entry.response.response_code.value
    flag = answer_without_side(entry)
    if entry.common_properties.route_name == envoy_names.UNMATCHED_ROUTE:
        return AtFault.ENVOY, "no_route"
    if flag is not None:
        fault = (
            AtFault.NONE
            if flag.owner is Owner.NONE
            else AtFault.CLIENT
            if flag.owner is Owner.CLIENT
            else AtFault.ENVOY
        )
        # A refusal with a 5xx shows that the filter could not ask its own service.
        return AtFault.ENVOY if fault is AtFault.CLIENT and status >= 500 else fault, flag.kind
    if slow_upload(entry):
        return AtFault.CLIENT, "slow_upload"
    if _answered_by_a_filter(entry):
        kind = _PLAIN.match(entry.response.response_code_details)
        return _fault_of_status(_http_status(entry)), kind[0] if kind else "filter"
    if side is not None or client_left(entry):
        return None
    return _fault_of_status(status), side_failure(entry) or "unknown_side"


def _http_status(entry: HTTPAccessLogEntry) -> int:
    """Return the HTTP status of an answer. For a gRPC call that failed, return 400 or 500 instead of its 200."""
    status = logged_grpc_status(entry)
    if status is None or status is GrpcStatus.OK:
        return int(entry.response.response_code.value)
    return 400 if status in GRPC_REFUSALS else 500


def _fault_of_status(status: int) -> AtFault:
    if 0 < status < 400:
        return AtFault.NONE
    return AtFault.CLIENT if 400 <= status < 500 else AtFault.ENVOY


def _answered_by_a_filter(entry: HTTPAccessLogEntry) -> bool:
    """Return whether a filter before the router answered, such as the user's RBAC filter.

    The entry then shows no attempt and no upstream flag.
    """
    details = entry.response.response_code_details
    return (
        bool(details)
        and not details.startswith("via_upstream")
        and entry.common_properties.upstream_request_attempt_count == 0
        and not side_failure(entry)
        and not client_left(entry)
    )


def _rescued(entry: HTTPAccessLogEntry, workload: WorkloadInfo, kind: str) -> bool | None:
    """Return whether the baseline answered after a failover, or None if the client disconnected first.

    ``kind`` is the kind of the upstream failure that the entry records, or "" if it records none.
    """
    if kind:
        return False
    return None if client_left(entry) else not _status_kind(entry, workload, Side.BASELINE)


def _answered_an_error(entry: HTTPAccessLogEntry) -> bool:
    """Return whether a backend itself answered with an error that does not mean too many requests or too little time.

    Such an error is a 5xx, or a failed gRPC call.
    """
    status, called = entry.response.response_code.value, logged_grpc_status(entry)
    if not entry.response.response_code_details.startswith("via_upstream"):
        return False
    if 500 <= status < 600:
        return status not in _WITHOUT_CAPACITY
    return bool(error_of_grpc_status(called, denies_own_credential=True)) and called not in WITHOUT_CAPACITY


def _status_kind(entry: HTTPAccessLogEntry, workload: WorkloadInfo, side: Side) -> str:
    of_http = error_of_status(entry.response.response_code.value, workload, side)
    denies = side in workload.without_client_credential
    return of_http or error_of_grpc_status(logged_grpc_status(entry), denies_own_credential=denies)


def error_of_status(status: int, workload: WorkloadInfo, side: Side) -> str:
    """Return the kind of error that an HTTP status of the side means, or "" if it is not an error by itself.

    A status of 0 means that there was no answer.
    """
    if status == 0:
        return "no_response"
    if 500 <= status < 600:
        return f"http_{status}"
    if status in DENIED and side in workload.without_client_credential:
        return f"http_{status}"
    return ERROR_STATUS.get(status, "")


def _whole_ms(time: Any) -> int:
    """Return a Timestamp or a Duration in ms, rounded down.

    Protobuf's own ``ToMilliseconds`` raises ValueError for a time that is out of its range.
    """
    return int(time.seconds) * 1000 + int(time.nanos) // 1_000_000
