"""The party at fault for each of Envoy's response flags: the chosen side, the client, or Envoy itself.

``FLAGS`` has every flag of Envoy 1.40. Source: *Access logging, RESPONSE_FLAGS* in Envoy's documentation, and the
validation rules of ``envoy.config.accesslog.v3.ResponseFlagFilter``. docs/reference/extproc.md has the same table for
users.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry, ResponseFlags

from extproc.access_log_latency import answer_ended, answered_early


class Owner(StrEnum):
    """The party whose fault a flag shows."""

    SIDE = "side"  # the side that the split chose
    CLIENT = "client"  # the client left, or Envoy refused its request
    ENVOY = "envoy"  # Envoy itself, or a filter, answered with an error before a side was asked
    NONE = "none"  # nobody's: the flag shows no failure


@dataclass(frozen=True, slots=True)
class Flag:
    """One response flag.

    - ``short``: Envoy's short name
    - ``kind``: the name under which extproc counts a request with this flag
    - ``field``: the flag's field in the gRPC access log; "" if it has none
    - ``details``: the response code details that show the flag where the gRPC access log has no field for it
    """

    short: str
    owner: Owner
    kind: str
    field: str = ""
    details: str = ""


# The first flag that is set decides, so specific flags come first within an owner.
FLAGS: tuple[Flag, ...] = (
    Flag("UH", Owner.SIDE, "no_healthy_upstream", "no_healthy_upstream"),
    Flag("NC", Owner.SIDE, "no_cluster", "no_cluster_found"),
    Flag("DF", Owner.SIDE, "dns", "dns_resolution_failure"),
    Flag("UO", Owner.SIDE, "overflow", "upstream_overflow"),
    Flag("DO", Owner.SIDE, "dropped", details="drop_overload"),
    Flag("UDO", Owner.SIDE, "dropped", details="unconditional_drop_overload"),
    Flag("UF", Owner.SIDE, "connect", "upstream_connection_failure"),
    Flag("UT", Owner.SIDE, "timeout", "upstream_request_timeout"),
    Flag("UMSDR", Owner.SIDE, "timeout", "upstream_max_stream_duration_reached"),
    Flag("SI", Owner.SIDE, "timeout", "stream_idle_timeout"),  # the client's fault after the answer or with a 408
    Flag("UPE", Owner.SIDE, "upstream_died", "upstream_protocol_error"),
    Flag("UC", Owner.SIDE, "upstream_died", "upstream_connection_termination"),
    Flag("UR", Owner.SIDE, "reset", "upstream_remote_reset"),
    Flag("LR", Owner.SIDE, "reset", "local_reset"),
    Flag("RL", Owner.CLIENT, "rate_limited", "rate_limited"),
    Flag("UAEX", Owner.CLIENT, "unauthorized", "unauthorized_details"),
    Flag("IH", Owner.CLIENT, "invalid_headers", "invalid_envoy_request_headers"),
    Flag("DPE", Owner.CLIENT, "protocol_error", "downstream_protocol_error"),
    Flag("DC", Owner.CLIENT, "client_abort", "downstream_connection_termination"),
    Flag("DR", Owner.CLIENT, "client_abort", "downstream_remote_reset"),
    Flag("OM", Owner.ENVOY, "overload", "overload_manager"),
    Flag("NR", Owner.ENVOY, "no_route", "no_route_found"),  # of a workload's request
    Flag("NFCF", Owner.ENVOY, "no_filter_config", "no_filter_config_found"),
    Flag("RLSE", Owner.ENVOY, "rate_limit_service", "rate_limit_service_error"),
    Flag("LH", Owner.ENVOY, "failed_own_health_check", "failed_local_healthcheck"),
    Flag("DT", Owner.ENVOY, "connection_too_old", "duration_timeout"),
    Flag("FI", Owner.ENVOY, "fault_injected", "fault_injected"),
    Flag("RFCF", Owner.NONE, "cache", "response_from_cache_filter"),
    Flag("DI", Owner.NONE, "delay_injected", "delay_injected"),
    Flag("URX", Owner.NONE, "retry_limit", "upstream_retry_limit_exceeded"),
)
_BY_NAME = {flag.short: flag for flag in FLAGS}
_ABORTS = (_BY_NAME["DC"], _BY_NAME["DR"])
_SILENCE = _BY_NAME["SI"]
_OF_SIDE = tuple(flag for flag in FLAGS if flag.owner is Owner.SIDE)
# Envoy itself answered. (DI and URX say nothing about who answered.)
_WITHOUT_SIDE = (
    *(flag for flag in FLAGS if flag.owner in (Owner.CLIENT, Owner.ENVOY) and flag not in _ABORTS),
    _BY_NAME["RFCF"],
)
_MESSAGES = frozenset(name for name, field in ResponseFlags.DESCRIPTOR.fields_by_name.items() if field.message_type)


def side_failure(entry: HTTPAccessLogEntry) -> str:
    """Return the kind of the side's failure that an access log entry's flags or details show, or "" if none."""
    found = next((flag for flag in _OF_SIDE if _is_set(entry, flag)), None)
    if found is not None and not (found is _SILENCE and answer_ended(entry)):  # the client did not read
        return found.kind
    return "upstream_died" if entry.response.response_code_details.startswith("upstream_reset_after_response") else ""


def answer_without_side(entry: HTTPAccessLogEntry) -> Flag | None:
    """Return the first flag which shows that Envoy or a filter answered without asking a side, or None."""
    return next((flag for flag in _WITHOUT_SIDE if _is_set(entry, flag)), None)


def client_left(entry: HTTPAccessLogEntry) -> bool:
    return any(_is_set(entry, flag) for flag in _ABORTS)


def slow_upload(entry: HTTPAccessLogEntry) -> bool:
    """Return whether the request got a 408 because the rest of its body did not arrive in time.

    Envoy's own 408 has the flag SI or no flag. A 408 of the backend counts if it came before the end of the request.
    """
    if entry.response.response_code.value != 408:
        return False
    details = entry.response.response_code_details
    of_envoy = entry.common_properties.response_flags.stream_idle_timeout or details == "request_overall_timeout"
    return bool(of_envoy) or answered_early(entry)


def _is_set(entry: HTTPAccessLogEntry, flag: Flag) -> bool:
    if not flag.field:
        return bool(entry.response.response_code_details == flag.details)
    flags = entry.common_properties.response_flags
    return bool(flags.HasField(flag.field) if flag.field in _MESSAGES else getattr(flags, flag.field))
