"""Classifies access log entries as requests, errors, client aborts and failovers of a side.

``classify`` is a pure function from Envoy's access log entry to an outcome. It applies these rules in order
(docs/reference/extproc.md describes them for users):

1. Three kinds of entries are not counted: entries whose route belongs to no workload, entries of running requests, and
   requests that Envoy refused before it sent them to a side (no route, overload, invalid headers, or one of the filters
   of the user's route: authorisation, rate limit).
2. If the client disconnected first and Envoy recorded no upstream failure, the outcome is ``client_abort``, which is
   not an error of the side. If the tee ended a copy because of its timeout and the side had not sent its whole answer,
   the outcome is the side's error ``tee_timeout``.
3. If Envoy switched from the candidate to the baseline, the outcome is the candidate's error ``failover``. ``rescued``
   is True if the baseline answered, False if the baseline failed by rule 4, and None if the client disconnected.
4. An upstream flag, a reset during the answer, or a status of 5xx, 408 or 429 is an error of the side. A status of 401
   or 403 is an error of the side if the backend never receives the client's own credential. So is an answer to a POST
   that no client can use although its status says success: a redirection, a web page, an empty body.
5. Every other request has no error. The remaining 4xx are the client's fault: they count as requests without a latency,
   because a refusal is faster than any answer. (If the other side answers a copy of the same request, extproc.capture
   counts the 4xx as an error after all.)

See ADR 0021.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from envoy.data.accesslog.v3.accesslog_pb2 import AccessLogType, HTTPAccessLogEntry

from extproc.logged_fault import logged_fault
from extproc.logged_latency import answer_ended, logged_latency
from extproc.workloads import WorkloadInfo
from glidepath import envoy_names
from glidepath.pairs_and_outcomes import Origin, Side

# Envoy's flags for a failure of the side, each with its kind of error. The first set flag decides, so specific flags
# come first.
UPSTREAM_FLAGS: tuple[tuple[str, str], ...] = (
    ("no_healthy_upstream", "no_healthy_upstream"),
    ("no_cluster_found", "no_cluster"),
    ("dns_resolution_failure", "dns"),
    ("upstream_overflow", "overflow"),
    ("upstream_connection_failure", "connect"),
    ("upstream_request_timeout", "timeout"),
    ("upstream_max_stream_duration_reached", "timeout"),
    ("stream_idle_timeout", "timeout"),
    ("duration_timeout", "timeout"),
    ("upstream_protocol_error", "upstream_died"),
    ("upstream_connection_termination", "upstream_died"),
    ("upstream_remote_reset", "reset"),
    ("local_reset", "reset"),
    ("failed_local_healthcheck", "no_healthy_upstream"),
    ("fault_injected", "fault_injected"),
)
MAX_UNIX_MS = 253_402_300_799_999  # the end of the year 9999, protobuf's last Timestamp
# Flags that mark a refusal by Envoy itself. Neither side has failed then.
REFUSED_BY_ENVOY_FLAGS = (
    "no_route_found",
    "rate_limited",
    "rate_limit_service_error",
    "invalid_envoy_request_headers",
    "downstream_protocol_error",
    "no_filter_config_found",
    "overload_manager",
)
CLIENT_FLAGS = ("downstream_connection_termination", "downstream_remote_reset")
DENIED = (401, 403)
ERROR_STATUS = {408: "http_408", 429: "rate_limited"}
FINAL = (AccessLogType.NotSet, AccessLogType.DownstreamEnd)
_NO_VALUE = ("", "-")  # texts of a custom tag that Envoy has no value for
TEE_TIMEOUT_SHARE = 0.95  # share of the tee's timeout, as Envoy starts its clock a little later than the tee


@dataclass(frozen=True, slots=True)
class RequestOutcome:
    """The outcome of one finished request.

    ``at_ms``: when the request ended, in Unix ms.
    ``error``: the kind of error, or "" if there is none.
    ``latency_ms``, ``ttft_ms``: from the end of the request to the last and to the first byte of the answer
        (extproc/logged_latency.py); None for an error, a 4xx and a client abort, and if it could not be measured.
    ``untimed``: whether the request was answered without an error, and its latency could not be measured.
    ``rescued``: whether the baseline answered after a failover; None without a failover, or if the client
        disconnected first.
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
    untimed: bool = False
    rescued: bool | None = None


def classify(entry: HTTPAccessLogEntry, workloads: Mapping[str, WorkloadInfo], shadow: bool) -> RequestOutcome | None:
    """Return the outcome of the request that an access log entry describes, or None if the request is not counted.

    ``shadow`` is True if the entry comes from the access log of the shadow listener.
    """
    common = entry.common_properties
    workload = workloads.get(_workload(common, shadow))
    if workload is None or common.access_log_type not in FINAL or common.intermediate_log_entry:
        return None
    side = _side(workload, common, shadow)
    flags = common.response_flags
    if (
        side is None
        or any(getattr(flags, name) for name in REFUSED_BY_ENVOY_FLAGS)
        or flags.HasField("unauthorized_details")
        or _refused_by_a_filter(entry)
    ):
        return None
    origin = _origin(entry, shadow)
    at_ms = min(max(0, _whole_ms(common.start_time) + _whole_ms(common.duration)), MAX_UNIX_MS)
    kind = _upstream_kind(entry)
    if side is Side.CANDIDATE and origin is Origin.LIVE and _is_failover(workload, common):
        rescued = _rescued(entry, workload, kind)
        return RequestOutcome(workload.name, side, origin, at_ms, error="failover", failover=True, rescued=rescued)
    if not kind and _client_left(entry):
        timeout_ms = workload.settings.shadow.timeout * 1000 * TEE_TIMEOUT_SHARE
        if shadow and _whole_ms(common.duration) >= timeout_ms and not answer_ended(entry):
            return RequestOutcome(workload.name, side, origin, at_ms, error="tee_timeout")
        return RequestOutcome(workload.name, side, origin, at_ms, client_abort=True)
    kind = kind or _status_kind(entry, workload, side) or logged_fault(entry)
    if kind:
        return RequestOutcome(workload.name, side, origin, at_ms, error=kind)
    if entry.response.response_code.value >= 400:
        return RequestOutcome(workload.name, side, origin, at_ms)
    latency = logged_latency(entry)
    return RequestOutcome(
        workload.name,
        side,
        origin,
        at_ms,
        latency_ms=latency.total_ms,
        ttft_ms=latency.ttft_ms,
        untimed=latency.total_ms is None,
    )


def _workload(common: Any, shadow: bool) -> str:
    """Return the name of the request's workload: on the shadow listener in the route's name, else in a custom tag."""
    if shadow:
        return envoy_names.workload_of_shadow_route(common.route_name) or ""
    return str(common.custom_tags.get(envoy_names.WORKLOAD_TAG, ""))


def _side(workload: WorkloadInfo, common: Any, shadow: bool) -> Side | None:
    if shadow:
        return workload.side_of_backend(common.route_name.rpartition("/")[2])
    # The field upstream_cluster names the cluster of the endpoint, which is the baseline's after a failover.
    return workload.clusters.get(common.custom_tags.get(envoy_names.CHOSEN_CLUSTER_TAG, ""))


def _origin(entry: HTTPAccessLogEntry, shadow: bool) -> Origin:
    if not shadow:
        return Origin.LIVE
    # The origin is in a custom tag, because Envoy has already removed the header when it writes the entry.
    origin = entry.common_properties.custom_tags.get(envoy_names.HEADER_ORIGIN, "")
    probe = (origin or entry.request.request_headers.get(envoy_names.HEADER_ORIGIN, "")) == Origin.PROBE.value
    return Origin.PROBE if probe else Origin.SHADOW


def _is_failover(workload: WorkloadInfo, common: Any) -> bool:
    """Return whether Envoy failed over from the candidate to the baseline.

    An aggregate cluster skips a member without usable hosts, so the first attempt may go to the baseline too. This
    also counts as a failover, since the candidate could not serve the request.

    A failover counts even if the request could not be sent to the baseline. The access log entry then names no cluster
    or the candidate's cluster. Two flags show this case:
    - no_healthy_upstream: neither side has a usable host.
    - upstream_overflow with a second attempt: Envoy never retries after a circuit breaker, so the circuit breaker
      stopped the second attempt, which is the rescue.
    """
    if not workload.fallback or _is_at_baseline(workload, common):
        return bool(workload.fallback)
    flags = common.response_flags
    return bool(flags.no_healthy_upstream or (flags.upstream_overflow and common.upstream_request_attempt_count > 1))


def _is_at_baseline(workload: WorkloadInfo, common: Any) -> bool:
    """Return whether the endpoint of the last attempt is the baseline's.

    The entry names the cluster of the endpoint by its name for statistics, which Istio sets to another text. So the
    endpoint's metadata decides too: the endpoints of a cluster that Envoy had already (``backends.X.cluster``) have
    none of Glidepath's.
    """
    named = common.custom_tags.get(envoy_names.BACKEND_TAG, "")
    if common.upstream_cluster == workload.baseline_cluster or named == workload.settings.baseline:
        return True
    unmarked = workload.baseline_cluster != workload.settings.baseline
    return unmarked and named in _NO_VALUE and common.HasField("upstream_remote_address")


def _refused_by_a_filter(entry: HTTPAccessLogEntry) -> bool:
    """Return whether a filter before the router answered, such as the user's RBAC: no attempt, and no upstream flag."""
    details = entry.response.response_code_details
    return (
        bool(details)
        and not details.startswith("via_upstream")
        and entry.response.response_code.value >= 400
        and entry.common_properties.upstream_request_attempt_count == 0
        and not _upstream_kind(entry)
        and not _client_left(entry)
    )


def _rescued(entry: HTTPAccessLogEntry, workload: WorkloadInfo, kind: str) -> bool | None:
    """Return whether the baseline answered after a failover, or None if the client disconnected first.

    ``kind`` is the kind of the upstream failure that the entry records, or "" if it records none.
    """
    if kind:
        return False
    return None if _client_left(entry) else not _status_kind(entry, workload, Side.BASELINE)


def _client_left(entry: HTTPAccessLogEntry) -> bool:
    return any(getattr(entry.common_properties.response_flags, name) for name in CLIENT_FLAGS)


def _upstream_kind(entry: HTTPAccessLogEntry) -> str:
    """Return the kind of the upstream failure that an access log entry records, or "" if it records none."""
    flags = entry.common_properties.response_flags
    for flag, kind in UPSTREAM_FLAGS:
        if getattr(flags, flag):
            return kind
    return "upstream_died" if entry.response.response_code_details.startswith("upstream_reset_after_response") else ""


def _status_kind(entry: HTTPAccessLogEntry, workload: WorkloadInfo, side: Side) -> str:
    return error_of_status(entry.response.response_code.value, workload, side)


def error_of_status(status: int, workload: WorkloadInfo, side: Side) -> str:
    """Return the kind of error that an HTTP status of the side is, or "" if the status alone is none. 0: no answer."""
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
