"""Mark a route with its workload and with what it serves, and read the marks of a rendered or running route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from glidepath import envoy_names
from glidepath.config.root import Config
from glidepath.served_digest import served_digest
from glidepath_ops.envoyconfig.commented_yaml import Json


def route_metadata(config: Config, workload: str) -> Json:
    """Return the metadata that names the workload of a route, and the digest of what the route serves."""
    served = served_digest(config, workload)
    named = {envoy_names.ROUTE_WORKLOAD: workload, envoy_names.ROUTE_SERVED: served}
    return {"filter_metadata": {envoy_names.METADATA: named}}


def served_by_route(route: Mapping[str, Any]) -> str:
    """Return the digest of what a route serves, or "" if its metadata have none."""
    named = (route.get("metadata") or {}).get("filter_metadata") or {}
    return str((named.get(envoy_names.METADATA) or {}).get(envoy_names.ROUTE_SERVED, ""))


def workload_of_route(route: Mapping[str, Any]) -> str | None:
    """Return the workload that the metadata of a route names, or None."""
    named = (route.get("metadata") or {}).get("filter_metadata") or {}
    workload = (named.get(envoy_names.METADATA) or {}).get(envoy_names.ROUTE_WORKLOAD)
    return workload if isinstance(workload, str) else None
