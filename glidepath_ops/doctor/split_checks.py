"""Checks the routes with a workload's split in the running Envoy, and the weights in its runtime."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from glidepath import envoy_names, runtime_keys
from glidepath.config import Config
from glidepath.config.request_match import Match
from glidepath.config.sticky_values import Sticky
from glidepath.served_digest import served_digest
from glidepath.split_leases import layer_name, parse_lease
from glidepath_ops.doctor.facts import RENDER, EnvoyFacts, Finding, fail, ok, warn
from glidepath_ops.envoyconfig.filters import CAPTURE
from glidepath_ops.envoyconfig.path_conditions import path_header
from glidepath_ops.envoyconfig.route_metadata import served_by_route, workload_of_route

Json = Mapping[str, Any]


def examine_split(subject: str, config: Config, name: str, envoy: EnvoyFacts) -> Iterator[Finding]:
    """Yield the findings on all routes whose metadata name the workload ``name``."""
    routes = [route for route in envoy.routes() if workload_of_route(route) == name]
    if not routes:
        yield fail(subject, f"{name}: routes", "no route of this Envoy carries the split", RENDER)
        return
    yield _served(subject, config, name, routes)
    yield _scope(subject, config, name, routes)
    yield _order(subject, config, name, routes)
    yield _capture(subject, name, routes)
    yield _sum(subject, name, routes[0], envoy)
    yield _sticky(subject, config, name, routes)
    yield _lease(subject, config, name, routes, envoy)


def _served(subject: str, config: Config, name: str, routes: list[Json]) -> Finding:
    """Report whether the running Envoy serves the workload with this configuration."""
    check, wanted = f"{name}: configuration", served_digest(config, name)
    for route in routes:
        found = served_by_route(route)
        if found != wanted:
            detail = (
                f"{_shown(route)} serves another configuration of the two backends (digest {found or 'none'}) than "
                f"this file ({wanted}), so the scorer refuses its requests and pairs as evidence"
            )
            return fail(subject, check, detail, RENDER)
    return ok(subject, check, f"serves the backends of this file (digest {wanted})")


def _scope(subject: str, config: Config, name: str, routes: list[Json]) -> Finding:
    """Report whether all routes of the split match only the workload's requests, by path and method.

    If the user has no route for a host, Glidepath writes one, which may match every method.
    """
    check, rule = f"{name}: routes", config.workloads[name].match
    for route in routes:
        match, shown = route.get("match", {}), _shown(route)
        if not _is_inside(match, rule):
            path = rule.path or f"{rule.path_prefix} and below"
            detail = f"{shown} takes requests to paths other than {path}, so they are split too"
            return fail(subject, check, detail, f"narrow its match to the workload's path; {RENDER}")
        if route.get("name") != envoy_names.route_name(name) and not _is_post(match):
            detail = f"{shown} takes methods other than POST, so they are split too"
            return fail(subject, check, detail, f"add the method POST to its match; {RENDER}")
    return ok(subject, check, f"{len(routes)}, each with the workload's path and method")


def _shown(route: Json) -> str:
    return f"route {route['name']}" if route.get("name") else "a route without a name"


def _is_inside(match: Json, rule: Match) -> bool:
    """Return whether a RouteMatch matches only paths of the workload."""
    if rule.path_prefix == "/" or path_header(rule) in match.get("headers", []):
        return True
    theirs = match.get("path") or match.get("path_separated_prefix") or match.get("prefix")
    if not isinstance(theirs, str):
        return False
    if rule.path is not None:
        return match.get("path") == rule.path
    ours = (rule.path_prefix or "/").rstrip("/")
    whole = "prefix" not in match or not ours
    return theirs.startswith(f"{ours}/") or (theirs == ours and whole)


def _is_post(match: Json) -> bool:
    for header in match.get("headers", []):
        exact = header.get("string_match", {}).get("exact") or header.get("exact_match")
        if header.get("name") == ":method" and exact == "POST" and not header.get("invert_match"):
            return True
    return False


def _weighted(route: Json) -> list[Json]:
    return list(route.get("route", {}).get("weighted_clusters", {}).get("clusters", []))


def _order(subject: str, config: Config, name: str, routes: list[Json]) -> Finding:
    check = f"{name}: split"
    wanted = [config.candidate_cluster(name), config.baseline_cluster(name)]
    for route in routes:
        clusters = [str(one.get("name")) for one in _weighted(route)]
        prefix = route.get("route", {}).get("weighted_clusters", {}).get("runtime_key_prefix")
        if clusters != wanted:
            detail = f"{_shown(route)} splits over {clusters}"
            remedy = f"list the candidate first, then the baseline: {', '.join(wanted)}; {RENDER}"
            return fail(subject, check, detail, remedy)
        if prefix != runtime_keys.weight_prefix(name):
            return fail(subject, check, f"{_shown(route)} reads its weights from {prefix!r}", RENDER)
    return ok(subject, check, "candidate first, weights from runtime")


def _capture(subject: str, name: str, routes: list[Json]) -> Finding:
    """Report whether each route sends a sample of its requests to extproc, and none of them waits for extproc."""
    check = f"{name}: capture"
    for route in routes:
        per_route = route.get("typed_per_filter_config", {}).get(CAPTURE, {})
        action = per_route.get("xds_matcher", {}).get("on_no_match", {}).get("action", {}).get("typed_config", {})
        ext_proc = action.get("typed_config", {}).get("typed_config", {})
        service = ext_proc.get("grpc_service", {})
        if service.get("envoy_grpc", {}).get("cluster_name") != envoy_names.EXTPROC_CLUSTER:
            detail = f"{_shown(route)} sends nothing to {envoy_names.EXTPROC_CLUSTER}"
            return fail(subject, check, detail, RENDER)
        if not ext_proc.get("observability_mode"):
            detail = f"observability_mode is off at {_shown(route)}: every request waits for extproc"
            return fail(subject, check, detail, RENDER)
        if action.get("sample_percent", {}).get("runtime_key") != runtime_keys.shadow_key(name):
            return fail(subject, check, f"{_shown(route)} does not sample by {runtime_keys.shadow_key(name)}", RENDER)
        named = {"key": envoy_names.HEADER_WORKLOAD, "value": name}
        if named not in service.get("initial_metadata", []):
            return fail(subject, check, f"{_shown(route)} does not name its workload to extproc", RENDER)
    return ok(subject, check, "a sample, in observability mode")


def _sum(subject: str, name: str, route: Json, envoy: EnvoyFacts) -> Finding:
    check, total, shown = f"{name}: weights", 0, []
    for cluster in _weighted(route):
        runtime = envoy.runtime_value(runtime_keys.weight_key(name, str(cluster.get("name"))))
        weight = int(float(runtime)) if runtime else int(cluster.get("weight", 0))
        total += weight
        shown.append(f"{cluster.get('name')} {weight}")
    detail = f"{', '.join(shown)} (sum {total})"
    if total == runtime_keys.FULL_WEIGHT:
        return ok(subject, check, detail)
    remedy = f"set both keys in one POST with the sum {runtime_keys.FULL_WEIGHT}: any other sum moves sticky users"
    return fail(subject, check, detail, remedy)


def _lease(subject: str, config: Config, name: str, routes: list[Json], envoy: EnvoyFacts) -> Finding:
    """Report whether this Envoy is set up for what ``if_lost`` says if all scorers are lost."""
    check, section, key = f"{name}: if lost", config.workload(name), runtime_keys.lease_key(name)
    for route in routes:
        leased = route.get("match", {}).get("runtime_fraction", {}).get("runtime_key") == key
        if leased and section.if_lost == "hold":
            detail = f"{_shown(route)} splits only with a lease, which no scorer gives with if_lost: hold"
            return fail(subject, check, detail, RENDER)
        if not leased and section.if_lost == "baseline":
            detail = f"{_shown(route)} was rendered without a lease, so its split stays if all scorers are lost"
            return fail(subject, check, detail, RENDER)
    if section.if_lost == "hold":
        return ok(subject, check, "the split stays (if_lost: hold)")
    layer = layer_name(section.lost_after)
    runtime = envoy.bootstrap.get("layered_runtime", {})
    layers = [one.get("rtds_layer", {}).get("name") for one in runtime.get("layers", [])]
    if layer not in layers:
        detail = f"the bootstrap has no runtime layer {layer}, so the split never gets its lease"
        return fail(subject, check, detail, f"{RENDER}, and restart Envoy")
    if by_hand := envoy.value_set_by_hand(key):
        effect = (
            "the split stays if all scorers are lost" if parse_lease(by_hand) else "the baseline serves all requests"
        )
        detail = f"a person set {key}={by_hand} at this Envoy, so {effect}"
        return fail(subject, check, detail, f"remove it: POST /runtime_modify?{key}= to the admin API of this Envoy")
    if parse_lease(envoy.runtime_value(key) or ""):
        return ok(subject, check, f"back to the baseline after {section.lost_after:g} s; the lease is in force")
    where = config.envoy.rtds_address or config.envoy.rtds_listen
    detail = "no lease is in force, so the baseline serves all requests"
    return fail(subject, check, detail, f"check that a scorer steers, and that this Envoy reaches it at {where}")


def _sticky(subject: str, config: Config, name: str, routes: list[Json]) -> Finding:
    check = f"{name}: stickiness"
    routes = [route for route in routes if not _takes_empty_values(route, config.workloads[name].assignment)]
    hashed = all(
        route.get("route", {}).get("hash_policy")
        and route.get("route", {}).get("weighted_clusters", {}).get("use_hash_policy")
        for route in routes
    )
    workload = config.workloads[name]
    sticky = workload.declared_sticky
    for route in routes:
        policies = len(route.get("route", {}).get("hash_policy", []))
        if hashed and workload.assignment is not None and policies > 1:
            detail = f"{_shown(route)} has {policies} hash policies, which Envoy combines into one value"
            ours = f"remove workloads.{name}.sticky" if sticky else f"set workloads.{name}.sticky: {{route: true}}"
            remedy = f"{ours}, or remove the other hash (on Istio: a DestinationRule's consistentHash)"
            return warn(subject, check, detail, remedy)
    if hashed and workload.assigned_at_random:
        detail = "the routes assign requests by a hash, but the file says at random, which the gates rely on"
        return warn(subject, check, detail, f"set workloads.{name}.sticky: {{route: true}}")
    if hashed:
        return ok(subject, check, "by hash")
    if workload.sticky is not None and workload.sticky.route:
        remedy = f"give the routes a hash policy, or remove workloads.{name}.sticky"
        return warn(subject, check, "the routes have no hash policy of their own", remedy)
    if sticky is None:
        remedy = f"set workloads.{name}.sticky, or accept that a user is sent to both sides"
        return warn(subject, check, "not configured", remedy)
    return fail(subject, check, "configured, but the routes have no hash policy", RENDER)


def _takes_empty_values(route: Json, sticky: Sticky | None) -> bool:
    """Return whether a route matches only requests with an empty sticky header. Envoy splits these at random.

    See ADR 0428 and ADR 0460.
    """
    name = sticky.header.lower() if sticky is not None and sticky.header is not None else None
    return any(
        header.get("name") == name and header.get("string_match") == {"exact": ""} and not header.get("invert_match")
        for header in route.get("match", {}).get("headers", [])
    )
