"""Glidepath's HTTP filters in an existing filter chain: disabled there, and enabled only by Glidepath's routes.

A request that matches any other route does not pass through them (Envoy: HttpFilter.disabled, FilterConfig per route).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from glidepath_ops.envoyconfig.commented_yaml import Json, without_comments
from glidepath_ops.envoyconfig.envoy_api_builders import TYPE

FILTER_CONFIG = TYPE + "config.route.v3.FilterConfig"


def disabled(chain: Iterable[Json]) -> list[Json]:
    """Return the filters without comments, each disabled in the chain."""
    return [
        {"name": one["name"], "disabled": True, "typed_config": without_comments(one)["typed_config"]} for one in chain
    ]


def enabled_by(route: Json, names: Sequence[str], own: Mapping[str, Json] | None = None) -> Json:
    """Return the ``typed_per_filter_config`` that enables the filters ``names`` on ``route``.

    ``own`` is configuration by filter name that replaces the filter's default. The route's settings take precedence.
    """
    enabled: Json = {name: {"@type": FILTER_CONFIG, "config": {}} for name in names}
    return {**enabled, **(own or {}), **route.get("typed_per_filter_config", {})}
