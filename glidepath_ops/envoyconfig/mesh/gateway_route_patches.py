"""Renders the patches of the routes that Envoy Gateway generates from the rules of an HTTPRoute.

Some routes get a split, the others do not. See ``envoy_gateway.py`` for the semantics of the patches.
"""

from __future__ import annotations

from typing import Any

from glidepath.config.root import Config
from glidepath_ops.envoyconfig import filters
from glidepath_ops.envoyconfig.commented_yaml import Json, with_comment, without_comments
from glidepath_ops.envoyconfig.envoy_api_builders import TYPE
from glidepath_ops.envoyconfig.mesh.added_http_rules import Continued
from glidepath_ops.envoyconfig.mesh.copies_of_users_routes import (
    CopyKind,
    RouteCopy,
    conditions_of,
    removed_headers,
    sticky_of,
    unsplit_settings,
)
from glidepath_ops.envoyconfig.mesh.gateway_xds_names import GeneratedRoutes
from glidepath_ops.envoyconfig.route_metadata import route_metadata
from glidepath_ops.envoyconfig.routes import workload_route
from glidepath_ops.envoyconfig.sticky_hash_policy import hash_policy
from glidepath_ops.envoyconfig.weighted_split import buffer_limit, weighted_clusters

ROUTES = TYPE + "config.route.v3.RouteConfiguration"
_REMOVED = "request_headers_to_remove"
_NO_HASH_POLICY = " && @.route.hash_policy exists false"


def of_continued(config: Config, workload: str, continued: Continued, table: str) -> list[Json]:
    """Return the patches for those routes of a workload that continue a rule of the user."""
    found = _in_route(config, workload, continued, continued.routes, continued.copy, table)
    for where, copy in continued.others:
        if copy.splits:
            found += _in_route(config, workload, continued, where, copy, table)
        else:
            found += _in_unsplit_route(config, workload, where, copy, table)
    return found


def patch(kind: str, name: str, op: str, where: str, path: str, value: Any) -> Json:
    return {"type": kind, "name": name, "operation": {"op": op, "jsonPath": where, "path": path, "value": value}}


def _conditions(config: Config, workload: str, routes: GeneratedRoutes, copy: RouteCopy, table: str) -> list[Json]:
    """Return the patches that add the conditions of a copy to its generated route."""
    condition = without_comments(conditions_of(config, workload, copy))
    where = routes.json_path()
    found = [
        patch(ROUTES, table, "add", where, f"/match/{key}/-", one)
        for key in ("headers", "dynamic_metadata")
        for one in condition.get(key, [])
    ]
    if "runtime_fraction" in condition:
        found.append(patch(ROUTES, table, "add", where, "/match/runtime_fraction", condition["runtime_fraction"]))
    return found


def _settings(routes: GeneratedRoutes, table: str, settings: Json) -> list[Json]:
    """Return the patches that add ``settings`` to a generated route: metadata, filters, header removals."""
    where, found = routes.json_path(), []
    for key, value in without_comments(settings).items():
        if key == "metadata":
            found += [(f"/metadata/filter_metadata/{name}", one) for name, one in value["filter_metadata"].items()]
        elif key == "typed_per_filter_config":
            found += [(f"/{key}/{name}", one) for name, one in value.items()]
        elif key == _REMOVED:
            found += [(f"/{key}/-", name) for name in value]
        else:
            found.append((f"/{key}", value))
    return [patch(ROUTES, table, "add", where, path, value) for path, value in found]


def _split_settings(
    config: Config, workload: str, routes: GeneratedRoutes, copy: RouteCopy, table: str, *, hashed: bool
) -> list[Json]:
    """Return the patches that add the settings of a split, except the weighted clusters, to a generated route.

    ``hashed``: whether a policy of the user gives the route a hash policy.
    """
    settings = {
        "metadata": route_metadata(config, workload),
        **buffer_limit(config, workload),
        "typed_per_filter_config": filters.filters_of_route(config, workload),
        **removed_headers(config, copy),
    }
    found = [*_settings(routes, table, settings), *_conditions(config, workload, routes, copy, table)]
    found[0] = with_comment(f"Workload {workload}: the routes of rule {routes.place}.", found[0])
    sticky = sticky_of(config, workload, copy)
    if sticky is not None and not hashed:
        note = "Refused if a BackendTrafficPolicy gives the route a hash policy, which then decides."
        where = routes.json_path(_NO_HASH_POLICY)
        policy = patch(ROUTES, table, "add", where, "/route/hash_policy", [hash_policy(sticky)])
        found.append(with_comment(note, policy))
    return found


def _in_route(
    config: Config, workload: str, continued: Continued, routes: GeneratedRoutes, copy: RouteCopy, table: str
) -> list[Json]:
    """Return the patches for the routes of a user's rule. They keep everything that Envoy Gateway generated.

    The patches of the weights come last. Alone, they move no request: until the runtime prefix is set, the candidate
    has its initial weight. Runtime keys contain the name of a cluster. So a second rule with the split gets the
    baseline's cluster of the first rule.
    """
    hashes = sticky_of(config, workload, copy) is not None
    split = without_comments(weighted_clusters(config, workload, copy.limit, hashes=hashes))
    candidate, baseline = split["clusters"]
    keys = ("weight",) if routes == continued.routes else ("weight", "name")
    where, at = routes.json_path(), "/route/weighted_clusters"
    options = [key for key in ("use_hash_policy", "runtime_key_prefix") if key in split]
    return [
        *_split_settings(config, workload, routes, copy, table, hashed=continued.hashed),
        patch(ROUTES, table, "add", where, f"{at}/clusters/0", candidate),
        *(patch(ROUTES, table, "add", where, f"{at}/clusters/1/{key}", baseline[key]) for key in keys),
        *(patch(ROUTES, table, "add", where, f"{at}/{key}", split[key]) for key in options),
    ]


def _in_unsplit_route(
    config: Config, workload: str, routes: GeneratedRoutes, copy: RouteCopy, table: str
) -> list[Json]:
    """Return the patches for the routes of a copy without the split. The routes keep the copy's destination."""
    found = _settings(routes, table, unsplit_settings(config, copy))
    found[0] = with_comment(f"Workload {workload}: the routes of rule {routes.place} are not split.", found[0])
    return [*found, *_conditions(config, workload, routes, copy, table)]


def in_new_route(config: Config, workload: str, routes: GeneratedRoutes, copy: RouteCopy, table: str) -> list[Json]:
    """Return the patches for the routes of a new HTTPRoute. Their cluster for the baseline is Glidepath's own."""
    ours = without_comments(workload_route(config, workload, timeout=copy.limit))
    where, action = routes.json_path(), ours["route"]
    destination, done = action["weighted_clusters"], removed_headers(config, copy).get(_REMOVED, [])
    if copy.splits:
        if sticky_of(config, workload, copy) is None:
            destination = {key: value for key, value in destination.items() if key != "use_hash_policy"}
        settings = _split_settings(config, workload, routes, copy, table, hashed=False)
    else:
        as_sent = copy.kind in (CopyKind.READER, CopyKind.REST)
        own = filters.filters_of_unsplit_route(config, as_sent=as_sent)
        settings = _settings(
            routes,
            table,
            {
                **unsplit_settings(config, copy),
                "typed_per_filter_config": {**own, **copy.filters},
                "request_body_buffer_limit": config.envoy.max_body,
            },
        )
        settings[0] = with_comment(
            f"Workload {workload}: the routes of rule {routes.place} are not split.", settings[0]
        )
        settings += _conditions(config, workload, routes, copy, table)
        destination = {"clusters": [{**destination["clusters"][-1], "weight": 1}]}
    return [
        *settings,
        *_settings(routes, table, {_REMOVED: [name for name in ours[_REMOVED] if name not in done]}),
        patch(ROUTES, table, "add", where, "/route/idle_timeout", action["idle_timeout"]),
        patch(ROUTES, table, "replace", where, "/route/weighted_clusters", destination),
    ]
