"""Add Glidepath's HTTP filters to an existing filter chain so that they act on Glidepath's routes only.

The filters are disabled in the chain, and Glidepath's routes enable them. Requests on other routes do not pass through
them. In Envoy's API, these are ``HttpFilter.disabled`` and a ``FilterConfig`` per route.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from glidepath_ops.envoyconfig.commented_yaml import Json, without_comments
from glidepath_ops.envoyconfig.envoy_api_builders import TYPE

FILTER_CONFIG = TYPE + "config.route.v3.FilterConfig"


def disabled(chain: Iterable[Json]) -> list[Json]:
    """Return the filters of ``chain`` without comments, each of them disabled."""
    return [
        {"name": one["name"], "disabled": True, "typed_config": without_comments(one)["typed_config"]} for one in chain
    ]


def enabled_by(route: Json, names: Sequence[str], own: Mapping[str, Json] | None = None) -> Json:
    """Return the ``typed_per_filter_config`` that enables the filters ``names`` on ``route``.

    ``own`` maps the name of a filter to a configuration that replaces the filter's default. A configuration that
    ``route`` already has takes precedence.
    """
    enabled: Json = {name: {"@type": FILTER_CONFIG, "config": {}} for name in names}
    return {**enabled, **(own or {}), **route.get("typed_per_filter_config", {})}
