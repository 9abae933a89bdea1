"""What one access log entry says about a side: a pure function from Envoy's record to an outcome.

The rules, in this order (docs/reference/extproc.md has them for people):

1. No route of ours, an entry of a request still running, or a refusal by Envoy itself before any side was involved
   (no route, rate limit or authorisation filter, overload, invalid headers): nothing is counted.
2. The client left first, and no upstream failure is on record: ``client_abort``, nobody's error. A copy that our own
   tee gave up on after its timeout is the side's error ``tee_timeout``.
3. Envoy had given up on the candidate and turned to the baseline: the candidate's error ``failover``. How the rescue
   ended is kept beside it: an answer, a failure by rule 4 as it holds for the baseline, or unknown (the client left).
4. An upstream flag, a reset in mid-answer, a status of 5xx, 408 or 429: the side's error, with its kind. So is a 401
   or 403 of a backend that never gets the client's own credential.
5. Everything else is a request without error. Other 4xx are the client's fault; they count as requests, but their
   latency is not kept, since a refusal is faster than any answer. (Where a copy of the same request succeeds on the
   other side, extproc.capture puts the blame right.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from envoy.data.accesslog.v3.accesslog_pb2 import AccessLogType, HTTPAccessLogEntry

from extproc.workloads import Lane
from glidepath import keys
from glidepath.domain import Origin, Side

# Flags that say the side failed → the error's kind. The first that is set wins: most specific first.
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
# Flags of a refusal that no side is to blame for.
NOBODYS_FLAGS = (
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
TEE_TIMEOUT_SHARE = 0.95  # Envoy's clock starts a little after the tee's


@dataclass(frozen=True, slots=True)
class RequestOutcome:
    """One finished request. ``error``: kind, "" for none; ``latency_ms``/``ttft_ms`` None where they say nothing.

    ``rescued``: of a failover, whether the baseline answered; None where nobody knows.
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
    rescued: bool | None = None


def classify(entry: HTTPAccessLogEntry, lanes: Mapping[str, Lane], shadow: bool) -> RequestOutcome | None:
    """The outcome of one request, or None for what concerns no side. ``shadow``: of the shadow listener's log."""
    common = entry.common_properties
    workload = keys.workload_of_route(common.route_name)
    lane = lanes.get(workload or "")
    if lane is None or common.access_log_type not in FINAL or common.intermediate_log_entry:
        return None
    side = _side(lane, common, shadow)
    flags = common.response_flags
    if side is None or any(getattr(flags, name) for name in NOBODYS_FLAGS) or flags.HasField("unauthorized_details"):
        return None
    origin = _origin(entry, shadow)
    at_ms = common.start_time.ToMilliseconds() + common.duration.ToMilliseconds()
    duration = _ms(common.duration)
    kind = _upstream_kind(entry)
    if side is Side.CANDIDATE and origin is Origin.LIVE and _is_failover(lane, common):
        rescued = _rescued(entry, lane, kind)
        return RequestOutcome(lane.name, side, origin, at_ms, error="failover", failover=True, rescued=rescued)
    if not kind and _client_left(entry):
        if shadow and duration >= lane.workload.shadow.timeout * 1000 * TEE_TIMEOUT_SHARE:
            return RequestOutcome(lane.name, side, origin, at_ms, error="tee_timeout")
        return RequestOutcome(lane.name, side, origin, at_ms, client_abort=True)
    kind = kind or _status_kind(entry, lane, side)
    if kind:
        return RequestOutcome(lane.name, side, origin, at_ms, error=kind)
    if entry.response.response_code.value >= 400:
        return RequestOutcome(lane.name, side, origin, at_ms)
    first_byte = _ms(common.time_to_first_upstream_rx_byte)
    return RequestOutcome(
        lane.name, side, origin, at_ms, latency_ms=duration, ttft_ms=first_byte if first_byte > 0 else None
    )


def _side(lane: Lane, common: Any, shadow: bool) -> Side | None:
    if shadow:
        return lane.side_of_backend(common.route_name.rpartition("/")[2])
    # where no host was reached (a circuit breaker) only the tag says which side the split had chosen
    return lane.clusters.get(common.upstream_cluster or common.custom_tags.get(keys.CHOSEN_CLUSTER_TAG, ""))


def _origin(entry: HTTPAccessLogEntry, shadow: bool) -> Origin:
    if not shadow:
        return Origin.LIVE
    # a custom tag: the header itself is taken off before the backend sees it, hence before the entry is written
    origin = entry.common_properties.custom_tags.get(keys.HEADER_ORIGIN, "")
    probe = (origin or entry.request.request_headers.get(keys.HEADER_ORIGIN, "")) == Origin.PROBE.value
    return Origin.PROBE if probe else Origin.SHADOW


def _is_failover(lane: Lane, common: Any) -> bool:
    """Whether it was the baseline's turn at last, though there was no place for the request: Envoy names no cluster
    then, or still the candidate's.

    A composite passes over a member without hosts, so that no host at all means neither side's. A first try that met a
    circuit breaker is never repeated, so that after a second try it was the rescue's.
    """
    if not lane.rescue or common.upstream_cluster == lane.rescue:
        return bool(lane.rescue)
    flags = common.response_flags
    return bool(flags.no_healthy_upstream or (flags.upstream_overflow and common.upstream_request_attempt_count > 1))


def _rescued(entry: HTTPAccessLogEntry, lane: Lane, kind: str) -> bool | None:
    """Whether the baseline answered in the candidate's place; ``kind``: of the failure on record, "" for none."""
    if kind:
        return False
    return None if _client_left(entry) else not _status_kind(entry, lane, Side.BASELINE)


def _client_left(entry: HTTPAccessLogEntry) -> bool:
    return any(getattr(entry.common_properties.response_flags, name) for name in CLIENT_FLAGS)


def _upstream_kind(entry: HTTPAccessLogEntry) -> str:
    """The kind of a failure of the upstream itself, "" for none."""
    flags = entry.common_properties.response_flags
    for flag, kind in UPSTREAM_FLAGS:
        if getattr(flags, flag):
            return kind
    return "upstream_died" if entry.response.response_code_details.startswith("upstream_reset_after_response") else ""


def _status_kind(entry: HTTPAccessLogEntry, lane: Lane, side: Side) -> str:
    status = entry.response.response_code.value
    if status == 0:
        return "no_response"
    if 500 <= status < 600:
        return f"http_{status}"
    if status in DENIED and side in lane.keyed:
        return f"http_{status}"
    return ERROR_STATUS.get(status, "")


def _ms(duration: Any) -> float:
    return float(duration.seconds * 1000 + duration.nanos / 1e6)
