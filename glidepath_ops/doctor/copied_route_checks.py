"""Checks on Istio whether the copy of a user's route has all settings of that route.

``render istio --into`` copies a route of a VirtualService. In a running Envoy, the user's route can have settings that
are not in the VirtualService: an EnvoyFilter of the user may add them to a route that it selects by name. The copy has
another name, so it does not get them (ADR 0142).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from glidepath import envoy_names
from glidepath_ops.doctor.facts import EnvoyFacts, Finding, ok, warn
from glidepath_ops.envoyconfig.route_metadata import workload_of_route

Json = Mapping[str, Any]
_FILTERS = "typed_per_filter_config"


def examine_copied_routes(subject: str, name: str, envoy: EnvoyFacts) -> Iterator[Finding]:
    """Check the routes of this Envoy that are copies of the user's routes for the workload ``name``, if any."""
    check, copies = f"{name}: copied route", 0
    for copy, own in _copies(name, envoy):
        copies += 1
        lost = settings_lost(copy, own)
        if lost:
            theirs = own.get("name") or "behind it"
            detail = f"route {copy['name']} lacks what your route {theirs} has: {', '.join(lost)}"
            remedy = f"let the EnvoyFilter that sets it find the route {copy['name']} too"
            yield warn(subject, check, detail, remedy)
            return
    if copies:
        yield ok(subject, check, "has all that your own route has")


def _copies(name: str, envoy: EnvoyFacts) -> Iterator[tuple[Json, Json]]:
    """Yield each copied route with its original, which is the next route that Glidepath did not add."""
    named = re.compile(rf"glidepath-{re.escape(name)}(-\d+)?(\.random|\.whole|\.whole-random)?")
    for routes in envoy.routes_by_host():
        for place, copy in enumerate(routes):
            if named.fullmatch(str(copy.get("name", ""))) and workload_of_route(copy) == name:
                own = next((one for one in routes[place + 1 :] if not _is_ours(one)), None)
                if own is not None:
                    yield copy, own


def _is_ours(route: Json) -> bool:
    """Return whether Glidepath wrote or copied a route, with or without a split."""
    return envoy_names.METADATA in (route.get("metadata") or {}).get("filter_metadata", {})


def settings_lost(copy: Json, own: Json) -> Sequence[str]:
    """Return the names of the settings that the route ``own`` has but its ``copy`` lacks, sorted."""
    lost = own.keys() - copy.keys() - {"route"}
    lost |= {f"route.{key}" for key in own.get("route", {}).keys() - copy.get("route", {}).keys() - {"cluster"}}
    return sorted(lost | (own.get(_FILTERS, {}).keys() - copy.get(_FILTERS, {}).keys()))
