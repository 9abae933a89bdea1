"""Adds copies of a user's routes, so that Envoy can read a request before its route is chosen (``request_reading.py``).

For each user's route that serves workloads which need reading, this module adds several copies of the route:

- The reading route comes directly before the user's route and has all of its settings, so the filters that protect the
  user's route protect the reading route too. There Envoy reads the request and then chooses a route a second time.
- The routes for the second choice come before all other routes: the split, the routes for requests that are not split,
  and one with the effect of the user's route.

A route for the second choice accepts only requests that were read on the reading route of the same user's route. So a
header that a filter changed in between cannot lead to a copy of another route, and a request that was read never
returns to the user's own routes. See ADR 0301.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from glidepath import envoy_names
from glidepath.config.root import Config
from glidepath_ops.envoyconfig.added_route import BUFFER_LIMITS, AddedRoute, UsersRoutes
from glidepath_ops.envoyconfig.commented_yaml import Json, without_comments
from glidepath_ops.envoyconfig.request_reading import (
    filter_of_reading_route,
    kept_from_candidate,
    metadata_of_pinned_route,
    metadata_of_reading_route,
    not_yet_read,
    reads,
    route_is,
    split_conditions,
    stateful_conditions,
    streamed,
    unread_conditions,
    with_facts,
)
from glidepath_ops.envoyconfig.route_overlap import PATHS
from glidepath_ops.envoyconfig.sticky_hash_policy import headers_from_bodies
from glidepath_ops.envoyconfig.weighted_split import ends_after, with_limit

_NO_ROUTE = "none"  # the name of the original for requests that no route of the user matches
_REWRITES_BY_MATCH = ("prefix_rewrite", "path_rewrite_policy")  # replace the matched part of the path


def with_reading(config: Config, users: UsersRoutes, added: Sequence[AddedRoute]) -> list[AddedRoute]:
    """Return the added routes, including those that read the requests of workloads which need reading."""
    found: list[AddedRoute] = []
    readers: dict[tuple[str, str], AddedRoute] = {}
    for one in added:
        if not reads(config, one.workload):
            found.append(one)
            continue
        split = one.route
        unsplit = _unsplit(users, one, split)
        found += _kept(config, one, unsplit)
        found += [_second(config, one, route, conditions) for route, conditions in _splits(config, one, split)]
        found += _pinned(config, one, unsplit)
        readers.setdefault((_original(one), repr(unsplit["match"])), _reader(config, users, one, unsplit))
    found += readers.values()
    return found + [_rest(config, users, one) for one in {_original(r): r for r in readers.values()}.values()]


def _splits(config: Config, one: AddedRoute, split: Json) -> Iterator[tuple[Json, list[Json]]]:
    """Yield the split with its conditions: for streams and for other answers, if the candidate's limits differ.

    If the user's route ends an answer before the limit of other answers, the limit of streams applies to both. With a
    longer limit, no time would be left for the baseline.
    """
    workload, action = config.workload(one.workload), split["route"]
    conditions, candidate = split_conditions(workload), config.backends[workload.candidate]
    whole = candidate.whole_answer_timeout(is_read=True)
    has_two = (
        workload.fallback
        and whole != candidate.first_byte_timeout
        and "runtime_key_prefix" in action["weighted_clusters"]
    )
    if has_two and not 0 < ends_after(action) <= whole:
        limits = ((candidate.first_byte_timeout, [*conditions, streamed()]), (whole, conditions))
        for limit, wanted in limits:
            yield {**split, "route": without_comments(with_limit(config, one.workload, action, limit))}, wanted
    else:
        yield split, conditions


def _original(one: AddedRoute) -> str:
    return str(one.original) if one.continues else _NO_ROUTE


def _unsplit(users: UsersRoutes, one: AddedRoute, split: Json) -> Json:
    """Return the user's route without the split, limited to the requests that the split matches."""
    if not one.continues:
        return {**split, "route": _to_baseline(split["route"])}
    return {**users.routes[one.original].data, "match": split["match"]}


def _to_baseline(action: Json) -> Json:
    """Return the action of one of Glidepath's routes, changed so that it leads to the baseline only."""
    rest = {key: action[key] for key in ("timeout", "idle_timeout")}
    entry = action["weighted_clusters"]["clusters"][-1]
    return {**rest, "cluster": entry["name"], "host_rewrite_literal": entry["host_rewrite_literal"]}


def _second(config: Config, one: AddedRoute, route: Json, conditions: list[Json]) -> AddedRoute:
    """Return a route that requests take after they were read, with the given conditions."""
    removed = [*(route.get("request_headers_to_remove") or []), *headers_from_bodies(config)]
    made = {**route, "match": with_facts(route["match"], [route_is(_original(one)), *conditions])}
    if removed:
        made["request_headers_to_remove"] = removed
    return replace(one, before=0, continued=one.original, route=made)


def _kept(config: Config, one: AddedRoute, unsplit: Json) -> Iterator[AddedRoute]:
    """Yield the routes for requests that the candidate declares it cannot serve."""
    workload = config.workload(one.workload)
    for why, conditions in kept_from_candidate(workload, config.backends[workload.candidate]):
        metadata = metadata_of_pinned_route(one.workload, why)
        route = {**unsplit, "metadata": _joined(unsplit.get("metadata") or {}, metadata)}
        yield _without_split(_second(config, one, route, conditions))


def _pinned(config: Config, one: AddedRoute, unsplit: Json) -> Iterator[AddedRoute]:
    workload = config.workload(one.workload)
    metadata = metadata_of_pinned_route(one.workload)
    route = {**unsplit, "metadata": _joined(unsplit.get("metadata") or {}, metadata)}
    for conditions in ([] if workload.stateless else [stateful_conditions(workload)], [unread_conditions()]):
        for wanted in conditions:
            yield _without_split(_second(config, one, route, wanted))


def _reader(config: Config, users: UsersRoutes, one: AddedRoute, unsplit: Json) -> AddedRoute:
    """Return the copy on which requests are read. Its own action never runs."""
    metadata = _joined(_marked(unsplit), metadata_of_reading_route(_original(one)))
    filters = {**(unsplit.get("typed_per_filter_config") or {}), **filter_of_reading_route()}
    route = {**unsplit, "match": with_facts(unsplit["match"], [not_yet_read()])}
    route |= {"metadata": metadata, "typed_per_filter_config": filters}
    if not any(key in level for key in BUFFER_LIMITS for level in (route, users.virtual_host)):
        route["request_body_buffer_limit"] = config.envoy.max_body
    return _without_split(replace(one, route=route))


def _rest(config: Config, users: UsersRoutes, one: AddedRoute) -> AddedRoute:
    """Return the route for requests that were read but belong to no workload. It acts like the user's route."""
    if not one.continues:
        route: Json = {"match": {"prefix": "/"}, "direct_response": {"status": 404}}
        return _without_split(_second(config, one, route, []))
    theirs = users.routes[one.original].data
    rewrites = any(key in theirs["route"] for key in _REWRITES_BY_MATCH)
    kept = (*PATHS, "case_sensitive") if rewrites else ()
    match = {key: value for key, value in theirs["match"].items() if key in kept} or {"prefix": "/"}
    return _without_split(_second(config, one, {**theirs, "match": match, "metadata": _marked(theirs)}, []))


def _marked(route: Json) -> Json:
    """Return the metadata that mark a route, for people and tools, as a copy of a user's route."""
    return _joined(route.get("metadata") or {}, {"filter_metadata": {envoy_names.METADATA: {"copy": "unsplit"}}})


def _without_split(one: AddedRoute) -> AddedRoute:
    return replace(one, headers={}, for_copies={}, splits=False)


def _joined(theirs: Json, ours: Mapping[str, Json]) -> Json:
    """Return the metadata of the user's route merged with those of Glidepath's route."""
    by_filter = {**(theirs.get("filter_metadata") or {}), **ours["filter_metadata"]}
    return {**theirs, "filter_metadata": by_filter}
