"""Marks a route with its workload and its served digest, and reads these marks from a rendered or running route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from glidepath import envoy_names
from glidepath.config.root import Config
from glidepath.served_digest import served_digest
from glidepath_ops.envoyconfig.commented_yaml import Json


def route_metadata(config: Config, workload: str) -> Json:
    """Return the metadata of a route with its workload and its served digest (glidepath/served_digest.py)."""
    served = served_digest(config, workload)
    named = {envoy_names.ROUTE_WORKLOAD: workload, envoy_names.ROUTE_SERVED: served}
    return {"filter_metadata": {envoy_names.METADATA: named}}


def served_by_route(route: Mapping[str, Any]) -> str:
    """Return the served digest in the metadata of a route, or "" if there is none."""
    named = (route.get("metadata") or {}).get("filter_metadata") or {}
    return str((named.get(envoy_names.METADATA) or {}).get(envoy_names.ROUTE_SERVED, ""))


def workload_of_route(route: Mapping[str, Any]) -> str | None:
    """Return the workload that the metadata of a route names, or None."""
    named = (route.get("metadata") or {}).get("filter_metadata") or {}
    workload = (named.get(envoy_names.METADATA) or {}).get(envoy_names.ROUTE_WORKLOAD)
    return workload if isinstance(workload, str) else None
