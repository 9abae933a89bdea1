"""Reads the workload, side and origin of a request from its access log entry, and whether a failover happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry

from extproc.access_log_tag_values import NO_VALUE
from extproc.workload_by_path import workload_by_path
from extproc.workloads import WorkloadInfo
from glidepath import envoy_names
from glidepath.sides import Origin, Side


def logged_workload(
    entry: HTTPAccessLogEntry, workloads: Mapping[str, WorkloadInfo], shadow: bool
) -> WorkloadInfo | None:
    """Return the workload of the request, or None if it has none.

    On the shadow listener, the name of the route contains the workload. On other listeners, a custom tag names the
    workload. If that tag is empty, the path and the host of the request decide (workload_by_path.py).
    """
    common = entry.common_properties
    if shadow:
        return workloads.get(envoy_names.workload_of_shadow_route(common.route_name) or "")
    named = str(common.custom_tags.get(envoy_names.WORKLOAD_TAG, ""))
    return workload_by_path(entry, workloads) if named in NO_VALUE else workloads.get(named)


def logged_side(workload: WorkloadInfo, common: Any, shadow: bool) -> Side | None:
    """Return the side that the split chose, or None if the chosen cluster does not belong to the workload."""
    if shadow:
        return workload.side_of_backend(common.route_name.rpartition("/")[2])
    # The field upstream_cluster is not used: after a failover, it names the baseline's cluster, not the chosen one.
    chosen = common.custom_tags.get(envoy_names.CHOSEN_CLUSTER_TAG, "")
    if chosen in NO_VALUE and common.response_flags.no_cluster_found:
        # The split chose a cluster that Envoy does not have, so no name is logged. The split's entry for the candidate
        # marks its requests with a tag.
        marked = common.custom_tags.get(envoy_names.CHOSEN_ENTRY_TAG, "") not in NO_VALUE
        return Side.CANDIDATE if marked else Side.BASELINE
    return workload.clusters.get(chosen)


def logged_origin(entry: HTTPAccessLogEntry, shadow: bool) -> Origin:
    """Return whether the request is a client's, a copy, or a probe."""
    if not shadow:
        return Origin.LIVE
    # The origin is in a custom tag, because Envoy has already removed the header when it writes the entry.
    origin = entry.common_properties.custom_tags.get(envoy_names.HEADER_ORIGIN, "")
    probe = (origin or entry.request.request_headers.get(envoy_names.HEADER_ORIGIN, "")) == Origin.PROBE.value
    return Origin.PROBE if probe else Origin.SHADOW


def is_failover(workload: WorkloadInfo, common: Any) -> bool:
    """Return whether Envoy failed over from the candidate to the baseline.

    An aggregate cluster skips a member without usable hosts, so the first attempt may go to the baseline too. This also
    counts as a failover, since the candidate could not serve the request.

    A failover counts even if the request could not be sent to the baseline. The access log entry then names no cluster
    or the candidate's cluster. Two flags show this case:
    - no_healthy_upstream: neither side has a usable host.
    - upstream_overflow with a second attempt: Envoy never retries after a circuit breaker, so the circuit breaker
      stopped the second attempt, which was for the baseline.
    """
    if not workload.fallback or _is_at_baseline(workload, common):
        return bool(workload.fallback)
    flags = common.response_flags
    return bool(flags.no_healthy_upstream or (flags.upstream_overflow and common.upstream_request_attempt_count > 1))


def _is_at_baseline(workload: WorkloadInfo, common: Any) -> bool:
    """Return whether the last attempt went to an endpoint of the baseline.

    Istio changes the cluster name that the entry contains. Therefore the backend's name in the endpoint's metadata is
    compared, too. Endpoints of a cluster that already existed in the user's Envoy (``backends.X.cluster``) have no such
    metadata.
    """
    named = common.custom_tags.get(envoy_names.BACKEND_TAG, "")
    if common.upstream_cluster == workload.baseline_cluster or named == workload.settings.baseline:
        return True
    unmarked = workload.baseline_cluster != workload.settings.baseline
    return unmarked and named in NO_VALUE and common.HasField("upstream_remote_address")
