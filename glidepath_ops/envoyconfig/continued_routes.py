"""Continues a user's route with the split: a copy of the route matches only the workload's requests.

The copy has all settings of the user's route, with three differences:

- It also has the workload's conditions.
- Its action splits requests between the candidate and the cluster of the user's route.
- It carries the configuration of the filters.

The copy comes directly before the user's route, which is not changed. See ADR 0136.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from glidepath.config.request_match import Match
from glidepath.config.root import Config
from glidepath.errors import InputError
from glidepath_ops.envoyconfig.added_route import BUFFER_LIMITS, AddedRoute, UsersRoute, UsersRoutes
from glidepath_ops.envoyconfig.backend_adaptation import credential_headers, keeps_client_credential
from glidepath_ops.envoyconfig.clusters import is_candidate_alone
from glidepath_ops.envoyconfig.commented_yaml import Json, without_comments
from glidepath_ops.envoyconfig.envoy_versions import OLDEST
from glidepath_ops.envoyconfig.fallback_retries import is_on_route, policy_of_route
from glidepath_ops.envoyconfig.filters import filters_of_route
from glidepath_ops.envoyconfig.header_rules import RoutedHeader, joined_rules, routed_headers
from glidepath_ops.envoyconfig.lease_routes import lease_condition
from glidepath_ops.envoyconfig.path_conditions import clear_path_headers, inference_path_headers, path_header
from glidepath_ops.envoyconfig.request_reading_on_users_routes import with_reading
from glidepath_ops.envoyconfig.route_conditions import by_specificity, match
from glidepath_ops.envoyconfig.route_metadata import route_metadata
from glidepath_ops.envoyconfig.route_overlap import METHOD, PATHS, Overlap, is_false, overlap
from glidepath_ops.envoyconfig.routes import routes_of_workload
from glidepath_ops.envoyconfig.sticky_hash_policy import hash_policy, with_empty_value
from glidepath_ops.envoyconfig.weighted_split import buffer_limit, ends_after, weighted_clusters

# Fields of a RouteAction that decide what the backend gets, and which of its endpoints.
_MAKES_REQUEST = (
    "prefix_rewrite",
    "regex_rewrite",
    "path_rewrite",
    "path_rewrite_policy",
    "host_rewrite_literal",
    "host_rewrite_header",
    "host_rewrite_path_regex",
    "auto_host_rewrite",
    "metadata_match",
)


def added_routes(config: Config, users: UsersRoutes) -> list[AddedRoute]:
    """Return the routes to add to a user's virtual host, those of the most specific workloads first.

    If no route of the user serves a workload's requests, the workload gets a route of its own after the user's routes.
    Raises InputError if a route cannot be continued.
    """
    added = [one for workload in by_specificity(config) for one in _routes_of(config, workload, users)]
    return with_reading(config, users, added)


def _routes_of(config: Config, workload: str, users: UsersRoutes) -> list[AddedRoute]:
    rule = config.workload(workload).match
    found: list[AddedRoute] = []
    for index, route in enumerate(users.routes):
        shared = overlap(route.data.get("match") or {}, rule)
        if shared is Overlap.NONE:
            continue
        if "route" in route.data:
            continued = _continued(config, workload, users, index)
            found += [replace(continued, route=one) for one in with_empty_value(config, workload, continued.route)]
        elif shared is Overlap.ALL and not found:
            raise InputError(
                f"workloads.{workload}: {route.place}: this route answers the workload's requests without a cluster; "
                "give it the action route with a cluster, or change the workload's match"
            )
        if shared is Overlap.ALL:
            break
    return found or _own(config, workload, users)


def _own(config: Config, workload: str, users: UsersRoutes) -> list[AddedRoute]:
    baseline = config.workload(workload).baseline
    if config.backends[baseline].cluster is not None:
        raise InputError(
            f"workloads.{workload}: no route of the virtual host matches its requests, so Glidepath's route must be "
            f"complete: give backends.{baseline} a url instead of cluster, or correct the workload's match"
        )
    routes: list[Json] = [without_comments(route) for route in routes_of_workload(config, workload, is_read=False)]
    both = (one for route in routes for one in with_empty_value(config, workload, route))
    return [AddedRoute(len(users.routes), workload, route, continues=False) for route in both]


def _continued(config: Config, workload: str, users: UsersRoutes, index: int) -> AddedRoute:
    route = users.routes[index]
    where = f"workloads.{workload}: {route.place}"
    action = _split(config, workload, route.data["route"], where)
    if is_on_route(config, workload):
        _refuse_retry_policy(config, workload, route.data["route"], "the route", where)
        _refuse_retry_policy(config, workload, users.virtual_host, "the virtual host of this route", where)
    headers = headers_at_route(config, workload, users.levels(route.data), where)
    copy = {
        **route.data,
        "match": _narrowed(config, workload, route, where),
        "route": action,
        "metadata": _with_metadata(route.data.get("metadata") or {}, config, workload),
        "typed_per_filter_config": {
            **(route.data.get("typed_per_filter_config") or {}),
            **filters_of_route(config, workload),
        },
    }
    if not any(key in level for key in BUFFER_LIMITS for level in (route.data, users.virtual_host)):
        copy |= buffer_limit(config, workload)
    result: Json = without_comments(copy)
    return AddedRoute(index, workload, result, headers, part_for_copies(users, route.data))


def headers_at_route(config: Config, workload: str, levels: Sequence[Json], where: str) -> Mapping[str, RoutedHeader]:
    """Return the effect of the header rules of ``levels`` on headers that the candidate changes.

    ``levels``: see ``routed_headers``. Raises InputError, with ``where``, if the candidate would get a credential that
    is not meant for it.
    """
    headers: Mapping[str, RoutedHeader] = {}
    candidate = config.backends[config.workload(workload).candidate]
    if config.workload(workload).fallback or _keeps_credentials(config, workload):
        names = {*credential_headers(config), *(name.lower() for name in candidate.headers)}
        headers = routed_headers(levels, names, where)
    _refuse_credential_for_candidate(config, workload, headers, where)
    return headers


def refuse_unknown_header_rules(config: Config, workload: str, where: str) -> None:
    """Raise InputError if a fallback would have to restore headers, but the route's header rules are not known."""
    if config.workload(workload).fallback:
        raise InputError(
            f"{where}: a request that failed at the candidate would get the client's own headers back, even those that "
            "this route replaces or removes: give the file with --into, so that its header rules are known, or set "
            f"workloads.{workload}.fallback: false"
        )


def part_for_copies(users: UsersRoutes, route: Json) -> Json:
    """Return the effect of a user's route on requests: its path condition, its rewrites, and all header rules.

    Copies of requests have few of the client's headers, so the route's other conditions are left out.
    """
    match = {key: value for key, value in route["match"].items() if key in (*PATHS, "case_sensitive")}
    action = {key: value for key, value in route["route"].items() if key in _MAKES_REQUEST}
    return {"match": match, "route": action, **joined_rules(users.levels(route))}


def _split(config: Config, workload: str, action: Json, where: str) -> Json:
    """Return the user's RouteAction with the weighted split in place of its cluster."""
    cluster = action.get("cluster")
    if not cluster:
        kind = next((key for key in action if "cluster" in key), "no cluster")
        raise InputError(
            f"{where}: the route serves the workload's requests by {kind}; the split can continue only a route with "
            "cluster: split this route into one for each cluster, or change the workload's match"
        )
    _refuse_other_baseline(config, workload, action, where)
    if "internal_redirect_policy" in action:
        raise InputError(
            f"{where}: after a redirect by the candidate, its internal_redirect_policy would send the candidate's "
            "credential to another backend: remove the policy, or change the workload's match"
        )
    if config.workload(workload).fallback:
        if not is_false(action.get("auto_host_rewrite", False)):
            raise InputError(
                f"{where}: with auto_host_rewrite, a request that failed at the candidate can keep the candidate's "
                "host: write host_rewrite_literal instead, or set fallback: false"
            )
        limit, remedy = ends_after(action), "set a longer timeout in the route (0s: none)"
        for key in ("first_byte_timeout", "answer_timeout"):
            refuse_short_timeout(config, workload, limit, f"{where}: the route ends", remedy, key)
    policy = _hash_policy(config, workload, action, where)
    split = weighted_clusters(config, workload) | ({"use_hash_policy": True} if policy else {})
    rest = {key: value for key, value in action.items() if key != "cluster"}
    return {**rest, "weighted_clusters": split, **policy, **policy_of_route(config, workload)}


def _refuse_retry_policy(config: Config, workload: str, holder: Json, title: str, where: str) -> None:
    if any(key in holder for key in ("retry_policy", "retry_policy_typed_config")):
        raise InputError(
            f"{where}: {title} has a retry policy, but Envoy {config.envoy.version} (envoy.version) needs this place "
            f"for the fallback: set workloads.{workload}.fallback: false, or use Envoy {OLDEST} or newer and remove "
            "envoy.version"
        )


def _refuse_other_baseline(config: Config, workload: str, action: Json, where: str) -> None:
    cluster, name = action["cluster"], config.workload(workload).baseline
    backend = config.backends[name]
    if backend.cluster == cluster:
        return
    host = action.get("host_rewrite_literal") or "THE HOST HEADER OF ITS REQUESTS"
    now = f"url: {backend.url}" if backend.cluster is None else f"cluster: {backend.cluster}"
    raise InputError(
        f"{where}: the route serves it from the cluster {cluster}: set backends.{name}: {{cluster: {cluster}, "
        f"host: {host}}} in glidepath.yaml, so that {cluster} continues to serve the baseline (now: {now})"
    )


def not_at_random(workload: str) -> str:
    """Return the end of an error message about a hash of the user's own route: its consequence, and the remedy."""
    return (
        f"so requests are not assigned at random, as the gates assume: set workloads.{workload}.sticky: {{route: true}}"
    )


def refuse_short_timeout(
    config: Config, workload: str, limit: float, what_ends: str, remedy: str, key: str = "first_byte_timeout"
) -> None:
    """Raise InputError if a route's time limit, in seconds (0: none), leaves no time for the workload's fallback.

    ``what_ends``: the beginning of the message, such as "FILE:LINE: the route ends". ``remedy``: its end. ``key``: the
    limit of the candidate that is compared, first_byte_timeout or answer_timeout.
    """
    settings = config.workload(workload)
    candidate = config.backends[settings.candidate]
    waits = candidate.answer_timeout if key == "answer_timeout" else candidate.first_byte_timeout
    if settings.fallback and waits is not None and 0 < limit <= waits:
        raise InputError(
            f"{what_ends} every answer after {limit:g} s, before the baseline can answer for a candidate that is "
            f"silent for {waits:g} s: set backends.{settings.candidate}.{key} below {limit:g}s, or {remedy}"
        )


def _hash_policy(config: Config, workload: str, action: Json, where: str) -> Json:
    """Return the entry ``hash_policy`` of a RouteAction, or {} if neither the user nor the workload has one."""
    sticky = config.workload(workload).assignment
    theirs = action.get("hash_policy")
    if theirs and config.workload(workload).assigned_at_random:
        raise InputError(f"{where}: the route has its own hash_policy, {not_at_random(workload)}")
    if theirs and config.workload(workload).declared_sticky is None:
        return {"hash_policy": theirs}
    if theirs and sticky is not None:
        raise InputError(
            f"{where}: the route has its own hash_policy, which chooses the endpoint: remove workloads.{workload}."
            "sticky, so that this policy keeps users on one side too"
        )
    if sticky is not None:
        return {"hash_policy": [hash_policy(sticky)]}
    return {}


def _refuse_credential_for_candidate(
    config: Config, workload: str, headers: Mapping[str, RoutedHeader], where: str
) -> None:
    """Raise InputError if the candidate would get a credential that the user's route sets.

    This happens if the candidate's cluster does not remove credentials and there is no fallback.
    """
    settings = config.workload(workload)
    set_by_route = [name for name, header in headers.items() if header.value is not None]
    if _keeps_credentials(config, workload) and not settings.fallback and set_by_route:
        raise InputError(
            f"{where}: the route sets {', '.join(set_by_route)}, which the candidate would get too: give "
            f"backends.{settings.candidate} its own credential, or set fallback: true"
        )


def _keeps_credentials(config: Config, workload: str) -> bool:
    """Return whether the candidate's own cluster keeps credentials that a header rule has added."""
    name = config.workload(workload).candidate
    return keeps_client_credential(config.backends[name], candidate=is_candidate_alone(config, name))


def _narrowed(config: Config, workload: str, route: UsersRoute, where: str) -> Json:
    """Return the user's RouteMatch with the workload's conditions added, so that it matches no other request.

    The user's path condition stays, because a rewrite of the path replaces the part that it matches.
    """
    theirs, rule = route.data.get("match") or {}, config.workload(workload).match
    lease = lease_condition(config, workload)
    if lease and "runtime_fraction" in theirs:
        raise InputError(
            f"{where}: the route's match already has a runtime_fraction, a field that the lease of the split needs "
            f"(if_lost: baseline): set workloads.{workload}.if_lost: hold, or give the route another condition"
        )
    ours = match(rule)
    paths = [*_path_condition(theirs, ours, rule), *clear_path_headers(rule), *inference_path_headers(rule)]
    added = [_equals(":method", METHOD), *paths, *ours.get("headers", [])]
    headers = list(theirs.get("headers") or [])
    return {**theirs, "headers": [*headers, *(one for one in added if one not in headers)], **lease}


def _path_condition(theirs: Json, ours: Json, rule: Match) -> list[Json]:
    same = all(theirs.get(key) == value for key, value in ours.items() if key != "headers")
    if rule.path_prefix == "/" or (same and not is_false(theirs.get("case_sensitive"))):
        return []
    return [path_header(rule)]


def _equals(header: str, value: str) -> Json:
    return {"name": header, "string_match": {"exact": value}}


def _with_metadata(theirs: Json, config: Config, workload: str) -> Json:
    by_filter = {**(theirs.get("filter_metadata") or {}), **route_metadata(config, workload)["filter_metadata"]}
    return {**theirs, "filter_metadata": by_filter}
