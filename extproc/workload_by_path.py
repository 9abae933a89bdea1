"""Finds the workload of a request that no route of the workload took, from the path and host of the request.

Envoy answers such a request itself. This happens if Envoy is overloaded, or if the workload's route is missing or all
of the route's weights are 0.
"""

from __future__ import annotations

from collections.abc import Mapping

from envoy.config.core.v3.base_pb2 import RequestMethod
from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry

from extproc.workloads import WorkloadInfo
from glidepath import envoy_names
from glidepath.config.request_match import Match

OVERLOAD = "overload"  # the response code details of the connection manager; Envoy sets no flag


def workload_by_path(entry: HTTPAccessLogEntry, workloads: Mapping[str, WorkloadInfo]) -> WorkloadInfo | None:
    """Return the workload of a request that no workload's route took, or None for any other request.

    The workload with the most specific match for path and host is returned. The access log has no headers and no body.
    Therefore a workload whose match needs a header or the model is returned only if Envoy was overloaded.
    """
    overloaded, without_route = _is_overloaded(entry), _found_no_route(entry)
    if not overloaded and not without_route:
        return None
    path, host = entry.request.path.partition("?")[0], entry.request.authority
    matches = {name: one.settings.match for name, one in workloads.items()}
    found = [name for name, match in matches.items() if _covers(match, path, host)]
    if not overloaded:
        found = [name for name in found if not matches[name].headers and matches[name].model is None]
    best = max(found, key=lambda name: matches[name].specificity, default=None)
    return None if best is None else workloads[best]


def _is_overloaded(entry: HTTPAccessLogEntry) -> bool:
    flagged = bool(entry.common_properties.response_flags.overload_manager)
    return flagged or entry.response.response_code_details == OVERLOAD


def _found_no_route(entry: HTTPAccessLogEntry) -> bool:
    """Return whether no route took the request. On a user's Envoy, only a POST can belong to a workload."""
    common = entry.common_properties
    if common.route_name == envoy_names.UNMATCHED_ROUTE:
        return True
    is_post: bool = entry.request.request_method == RequestMethod.POST
    return is_post and bool(common.response_flags.no_route_found)


def _covers(match: Match, path: str, host: str) -> bool:
    if match.host is not None and not _is_host(match.host.lower(), host.lower().rpartition(":")[0] or host.lower()):
        return False
    if match.path is not None:
        return path == match.path
    prefix = (match.path_prefix or "").rstrip("/")
    return path == prefix or path.startswith(f"{prefix}/")


def _is_host(pattern: str, host: str) -> bool:
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
