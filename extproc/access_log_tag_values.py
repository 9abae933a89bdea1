"""Reads the custom tags of access log entries, which report how Glidepath's Envoy configuration treated a request.

glidepath_ops/envoyconfig/access_log_tags.py writes the configuration of the tags.
"""

from __future__ import annotations

from collections.abc import Mapping

from envoy.data.accesslog.v3.accesslog_pb2 import AccessLogType, HTTPAccessLogEntry

from extproc.workloads import WorkloadInfo
from glidepath import envoy_names
from glidepath.eligibility import FOREIGN_REASONING, GRPC_MODEL, Ineligible
from glidepath.outcome_summaries import NO_DIGEST

NO_VALUE = ("", "-")  # the texts of a custom tag without a value
FINAL = (AccessLogType.NotSet, AccessLogType.DownstreamEnd)  # entries of requests that ended
PIN_REASONS = frozenset(
    {
        "agent_id",
        "audio",
        "background",
        "cachedContent",
        "cached_content",
        "container",
        "context",
        "conversation",
        "conversation_id",
        "file",
        "item_reference",
        "prompt",
        "previous_interaction_id",
        "previous_response_id",
        "store",
        "unload",
        "vector_store",
        "ambiguous",
        "compressed",
        "too_complex",
        "too_long",
        "unreadable",
    }
)
INELIGIBLE_REASONS = (*(f"ineligible_{why.value}" for why in Ineligible), FOREIGN_REASONING, GRPC_MODEL)


def pinned_request(entry: HTTPAccessLogEntry, workloads: Mapping[str, WorkloadInfo]) -> tuple[str, str] | None:
    """Return the workload of a request that always goes to the baseline, and the reason. Otherwise return None.

    A request that always goes to the baseline is not evidence, because the candidate gets no requests of this kind. The
    reason is one of the values ``why`` in read_request.lua. Any other text becomes "other".
    """
    tags = entry.common_properties.custom_tags
    workload = tags.get(envoy_names.PINNED_TAG, "")
    if workload not in workloads or entry.common_properties.access_log_type not in FINAL:
        return None
    by_route = tags.get(envoy_names.PINNED_BY_ROUTE_TAG, "")
    if by_route in INELIGIBLE_REASONS:
        return workload, by_route
    why = tags.get(envoy_names.PINNED_WHY_TAG, "")
    return workload, why if why in PIN_REASONS else "other"


def stripped_request(entry: HTTPAccessLogEntry, workloads: Mapping[str, WorkloadInfo]) -> tuple[str, str] | None:
    """Return the workload and the backend of a request from which Envoy removed another server's reasoning, or None."""
    tags = entry.common_properties.custom_tags
    backend = tags.get(envoy_names.STRIPPED_TAG, "")
    if backend in NO_VALUE or entry.common_properties.access_log_type not in FINAL:
        return None
    for tag in (envoy_names.WORKLOAD_TAG, envoy_names.PINNED_TAG):
        workload = workloads.get(tags.get(tag, ""))
        if workload is not None and backend in (workload.settings.baseline, workload.settings.candidate):
            return workload.name, backend
    return None


def served_by(entry: HTTPAccessLogEntry) -> str:
    """Return the served digest (glidepath/served_digest.py) that an access log entry reports, or NO_DIGEST."""
    digest = str(entry.common_properties.custom_tags.get(envoy_names.SERVED_TAG, ""))
    return NO_DIGEST if digest in NO_VALUE else digest
