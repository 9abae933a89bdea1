"""Render Envoy's routes: one per workload on the live listener, one per workload and backend on the shadow listener."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from glidepath import envoy_names, runtime_keys
from glidepath.config.backends import Backend
from glidepath.config.root import Config, Match, Sticky
from glidepath.served_digest import served_digest
from glidepath_ops.envoyconfig.access_log_tags import TEE_HEADERS, mark_of_candidate, record_of_entry
from glidepath_ops.envoyconfig.backend_adaptation import credential_headers, host_of, keeps_client_credential
from glidepath_ops.envoyconfig.commented_yaml import Json, with_comment
from glidepath_ops.envoyconfig.envoy_api_builders import seconds
from glidepath_ops.envoyconfig.fallback_retries import conditions_of_candidate, policy_of_route
from glidepath_ops.envoyconfig.filters import (
    bounds_of_candidate,
    copied_sticky_headers,
    filters_of_route,
    filters_of_unsplit_route,
    headers_of_candidate,
)
from glidepath_ops.envoyconfig.lease_routes import lease_condition, lost_route
from glidepath_ops.envoyconfig.path_conditions import (
    REFUSED_METHODS,
    any_inference_path,
    clear_path_headers,
    inference_path_headers,
    method_header,
    path_headers_of_copies,
)
from glidepath_ops.envoyconfig.request_reading import (
    filter_of_reading_route,
    kept_from_candidate,
    metadata_of_asking_again,
    metadata_of_pinned_route,
    not_yet_read,
    reads,
    reads_any,
    split_conditions,
    stateful_conditions,
    sticky_headers,
    streamed,
    unread_conditions,
    with_facts,
)
from glidepath_ops.envoyconfig.route_overlap import METHOD


def live_routes(config: Config) -> list[Json]:
    """Return the routes of the live listener: those of all workloads, then those of all other requests.

    The first route refuses the methods with which no backend may get its credential. After the splits come the other
    calls on the paths of workloads. The last route leads to the default backend, or answers with a 404 without one.
    """
    return [_refused_methods(), *workload_routes(config), *_companions(config), *_default(config)]


def workload_routes(config: Config) -> Iterator[Json]:
    """Yield the routes of all workloads' inference calls, those with the most specific match first.

    Workloads that differ in the model only are read by one route, after their splits: a request takes it first, and
    one of the others, or a later route, once it is read.
    """
    groups: dict[str, list[str]] = {}
    for name in by_specificity(config):
        rule = config.workload(name).match.model_copy(update={"model": None})
        groups.setdefault(rule.model_dump_json(), []).append(name)
    for names in groups.values():
        if reads(config, names[0]):
            yield from (kept for name in names for kept in _ineligible_routes(config, name))
        yield from (route for name in names for route in routes_of_workload(config, name))
        if reads(config, names[0]):
            yield from (pinned for name in names for pinned in _pinned_routes(config, name))
            yield _reading_route(config, names)


def routes_of_workload(config: Config, name: str) -> list[Json]:
    """Return the routes of a workload for which the user has no route: its split, and what serves it without a lease.

    Where the candidate has another time limit for streams, the split has two routes. With ``if_lost: hold`` the split
    needs no lease, and the last route is left out.
    """
    workload, is_read = config.workload(name), reads(config, name)
    conditions = split_conditions(workload) if is_read else []
    candidate = config.backends[workload.candidate]
    whole = candidate.whole_answer_timeout(is_read=is_read)
    splits = [workload_route(config, name, conditions, whole)]
    if is_read and workload.fallback and whole != candidate.first_byte_timeout:
        splits.insert(0, workload_route(config, name, [*conditions, streamed()]))
    lost = [lost_route(name, splits[-1])] if workload.if_lost == "baseline" else []
    return [*splits, *lost]


def _pinned_routes(config: Config, name: str) -> Iterator[Json]:
    workload = config.workload(name)
    if not workload.stateless:
        text = f"Requests of {name} that need or make state stay at {workload.baseline}."
        yield with_comment(text, _pinned(config, name, stateful_conditions(workload), as_sent=False))
    text = f"Requests of {name} that cannot be read stay at {workload.baseline}."
    yield with_comment(text, _pinned(config, name, unread_conditions(), as_sent=False))


def _ineligible_routes(config: Config, name: str) -> Iterator[Json]:
    """Yield the routes of the requests that the candidate cannot serve, as far as it declares (ADR 0313)."""
    workload = config.workload(name)
    for why, conditions in kept_from_candidate(workload, config.backends[workload.candidate]):
        text = f"Requests of {name} that {workload.candidate} cannot serve ({why}) stay at {workload.baseline}."
        route = _pinned(config, name, conditions, as_sent=False)
        yield with_comment(text, {**route, "metadata": metadata_of_pinned_route(name, why)})


def _pinned(config: Config, name: str, conditions: list[Json], *, as_sent: bool) -> Json:
    workload = config.workload(name)
    return {
        "name": envoy_names.pinned_route_name(name),
        "match": with_facts(inference_match(workload.match), conditions),
        "route": _direct(workload.baseline, config.backends[workload.baseline]),
        "metadata": metadata_of_pinned_route(name),
        "typed_per_filter_config": filters_of_unsplit_route(config, as_sent=as_sent),
        **_common(config),
    }


def _reading_route(config: Config, names: Sequence[str]) -> Json:
    workload = config.workload(names[0])
    return with_comment(
        f"Each request of {', '.join(names)} is read here first; then Envoy chooses its route again.",
        {
            "name": envoy_names.reading_route_name(names[0]),
            "match": with_facts(inference_match(workload.match), [not_yet_read()]),
            "route": _direct(workload.baseline, config.backends[workload.baseline]),
            "typed_per_filter_config": {
                **filters_of_unsplit_route(config, as_sent=True),
                **filter_of_reading_route(),
            },
            **metadata_of_asking_again(config, names),
            **_common(config),
        },
    )


def by_specificity(config: Config) -> list[str]:
    """Return the workloads, those with the most specific match first."""
    return sorted(config.workloads, key=lambda name: config.workloads[name].match.specificity, reverse=True)


def _common(config: Config) -> Json:
    """Return the settings that every route has: Envoy buffers bodies up to a limit, and hides the client's address.

    Envoy needs the buffered body to change or to retry the request.
    """
    removed = ["x-envoy-external-address", *sticky_headers(config), *copied_sticky_headers(config)]
    return {"request_headers_to_remove": removed, "request_body_buffer_limit": config.envoy.max_body}


def buffer_limit(config: Config, name: str) -> Json:
    """Return the limit on buffered bodies that a workload's split needs on a user's route, or nothing.

    Envoy buffers a body to repeat the request at the baseline, and to replace the model in it.
    """
    workload = config.workload(name)
    candidate, baseline = config.backends[workload.candidate], config.backends[workload.baseline]
    renames = candidate.model is not None or (baseline.cluster is None and baseline.model is not None)
    return {"request_body_buffer_limit": config.envoy.max_body} if workload.fallback or renames else {}


def start_weights(config: Config, name: str) -> dict[str, int]:
    """Return the initial weight of each cluster in basis points. Their sum is ``runtime_keys.FULL_WEIGHT``."""
    points = round(config.workload(name).start * 100)
    return {
        config.candidate_cluster(name): points,
        config.baseline_cluster(name): runtime_keys.FULL_WEIGHT - points,
    }


def workload_route(
    config: Config, name: str, conditions: list[Json] | None = None, timeout: float | None = None
) -> Json:
    """Return a workload's route where the user has no route of their own for it.

    ``conditions``: on the facts about a request that was read (``request_reading.py``). ``timeout``: the candidate's
    limit in seconds until its first byte; None: that of streams.
    """
    workload = config.workload(name)
    return with_comment(
        f"Workload {name}: {workload.baseline} → {workload.candidate}. The share of requests whose bodies are captured "
        f"is the runtime key {runtime_keys.shadow_key(name)}.",
        {
            "name": envoy_names.route_name(name),
            "match": with_facts({**inference_match(workload.match), **lease_condition(config, name)}, conditions or []),
            "route": _split_action(config, name, timeout),
            "metadata": route_metadata(config, name),
            "typed_per_filter_config": filters_of_route(config, name),
            **_common(config),
        },
    )


def inference_match(rule: Match) -> Json:
    """Return the RouteMatch of a workload's inference calls (``glidepath/call_classes.py``)."""
    post = {"name": ":method", "string_match": {"exact": METHOD}}
    return _with_headers(match(rule), [post, *clear_path_headers(rule), *inference_path_headers(rule)])


def _with_headers(condition: Json, headers: list[Json]) -> Json:
    return {**condition, "headers": [*headers, *condition.get("headers", [])]} if headers else condition


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


def match(rule: Match) -> Json:
    """Return the RouteMatch of a workload."""
    headers: list[Json] = []
    if rule.host is not None:
        pattern = authority_pattern(rule.host)
        headers.append({"name": ":authority", "string_match": {"safe_regex": {"regex": pattern}}})
    headers += [{"name": name.lower(), "string_match": {"exact": value}} for name, value in rule.headers.items()]
    found: Json = {"path": rule.path} if rule.path is not None else {"prefix": rule.path_prefix}
    if rule.path_prefix is not None and rule.path_prefix != "/":
        # /v1/batch matches /v1/batch and /v1/batch/x, but not /v1/batches
        found = {"path_separated_prefix": rule.path_prefix.rstrip("/")}
    return {**found, "headers": headers} if headers else found


def authority_pattern(host: str) -> str:
    """Return the regular expression (RE2) that matches the Host headers of a workload's host, with or without port."""
    return "(?i)" + _host_pattern(host) + r"(:\d+)?"


def _host_pattern(host: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_-]", lambda m: "\\" + m[0], host.removeprefix("*."))
    return rf"[^:]+\.{name}" if host.startswith("*.") else name


def _split_action(config: Config, name: str, timeout: float | None) -> Json:
    workload = config.workload(name)
    action: Json = {"weighted_clusters": weighted_clusters(config, name, timeout)}
    if workload.assignment is not None:
        action["hash_policy"] = [_policy_without_empty_values(workload.assignment)]
    timeouts = _timeouts(config.backends[workload.candidate], config.backends[workload.baseline])
    return {**action, **timeouts, **policy_of_route(config, name)}


# The backend of the endpoint that answered, also after a rescue. An endpoint of a user's own cluster has no such name.
_ANSWERING_BACKEND = f"%UPSTREAM_METADATA({envoy_names.METADATA}:{envoy_names.ENDPOINT_BACKEND})%"


def weighted_clusters(config: Config, name: str, timeout: float | None = None, *, by_body: bool = True) -> Json:
    """Return the weighted split of a workload. It is sticky if the route has a hash policy.

    ``by_body``: whether the requests are read, so that what bodies say can be sticky.

    The candidate comes first. Envoy chooses a cluster by the hash of a request, so a growing share then moves users
    only from the baseline to the candidate, never back. ``timeout``: see ``workload_route``.
    """
    workload = config.workload(name)
    backend, baseline = config.backends[workload.candidate], config.backends[workload.baseline]
    weights = start_weights(config, name)
    candidate_cluster, baseline_cluster = config.candidate_cluster(name), config.baseline_cluster(name)
    entry: Json = {"name": candidate_cluster, "weight": weights[candidate_cluster]}
    headers = mark_of_candidate(config, candidate_cluster)
    removed = list(headers)
    if workload.fallback:  # the cluster's own filters set the host of each attempt
        limit = timeout or backend.first_byte_timeout
        headers |= {**bounds_of_candidate(limit), **conditions_of_candidate(config, name)}
    else:
        entry["host_rewrite_literal"] = host_of(backend)
    if headers:
        entry["typed_per_filter_config"] = headers_of_candidate(headers)
    if not keeps_client_credential(backend, candidate=True):
        removed += credential_headers(config)
    if removed:
        entry["request_headers_to_remove"] = removed
    other: Json = {"name": baseline_cluster, "weight": weights[baseline_cluster]}
    if baseline.cluster is None:
        other["host_rewrite_literal"] = host_of(baseline)
    if config.envoy.served_by:
        for one in (entry, other):
            one["response_headers_to_add"] = [_instead(envoy_names.HEADER_SERVED_BY, _ANSWERING_BACKEND)]
    for one in (entry, other):
        recorded = record_of_entry(config, one["name"])
        if recorded:
            one["typed_per_filter_config"] = {**one.get("typed_per_filter_config", {}), **recorded}
    found: Json = {
        "runtime_key_prefix": runtime_keys.weight_prefix(name),
        "clusters": [
            with_comment("Candidate first, sum 10000: a growing share then moves users only to the candidate.", entry),
            other,
        ],
    }
    sticky = workload.assignment if by_body else workload.declared_sticky
    return {**found, "use_hash_policy": True} if sticky is not None else found


def hash_policy(sticky: Sticky) -> Json:
    """Return the RouteAction.HashPolicy that keeps a user on one side."""
    if sticky.request_header:
        return {"header": {"header_name": sticky.request_header}}
    if sticky.cookie is not None:
        return {"cookie": {"name": sticky.cookie}}
    return {"connection_properties": {"source_ip": True}}


def _policy_without_empty_values(sticky: Sticky) -> Json:
    """Return the same for the rendered listener, which copies a sticky header if its value is not empty."""
    if sticky.header is None:
        return hash_policy(sticky)
    return {"header": {"header_name": envoy_names.copy_of_sticky_header(sticky.header)}}


def _timeouts(*backends: Backend) -> Json:
    """Return the timeouts of a route: no limit on the whole answer, because streams are long, and a limit on silence.

    Silence is a time in which no byte arrives. Its limit is longer than the allowed wait for the first byte.
    """
    waits = (one.idle_timeout for one in backends)
    firsts = (max(one.first_byte_timeout, one.answer_timeout or 0) + 1 for one in backends)
    silence = max(*waits, *firsts)
    return {"timeout": "0s", "idle_timeout": seconds(silence)}


def _direct(name: str, backend: Backend) -> Json:
    return {"cluster": name, "host_rewrite_literal": host_of(backend), **_timeouts(backend)}


def _companions(config: Config) -> Iterator[Json]:
    """Yield the routes of the other calls on the paths of workloads, which their baselines serve: no body is changed.

    Such as WebSocket, management calls below a prefix, and ``GET /v1/responses/{id}``.
    """
    for name in by_specificity(config):
        workload = config.workload(name)
        rule = companion_paths(workload.match)
        yield with_comment(
            f"Calls on the paths of {name} that are no inference go to {workload.baseline} as they are.",
            {
                "name": envoy_names.companion_route_name(name),
                "match": _with_headers(
                    match(rule), [*other_models_excluded(workload.match), *clear_path_headers(rule)]
                ),
                "route": _direct(workload.baseline, config.backends[workload.baseline]),
                "typed_per_filter_config": filters_of_unsplit_route(config, as_sent=True),
                **_common(config),
            },
        )


def other_models_excluded(rule: Match) -> list[Json]:
    """Return the HeaderMatchers that leave POSTs with another model than the workload's to the default route."""
    return [] if rule.model is None else [method_header(METHOD, inverted=True)]


def companion_paths(rule: Match) -> Match:
    """Return the conditions of a workload's companion calls: its own paths, and what lies below the Responses API's."""
    if rule.path is None or not rule.path.rstrip("/").endswith("/responses"):
        return rule
    return rule.model_copy(update={"path": None, "path_prefix": rule.path})


def _default(config: Config) -> Iterator[Json]:
    """Yield the routes of requests that match no workload: to the default backend, or a 404 without one."""
    name = config.envoy.default_backend
    if name is None:
        text = "no workload matches this request, and envoy.default_backend is not set"
        comment = "Requests that match no workload get a 404 with an explanation."
        yield with_comment(comment, _not_found(envoy_names.UNMATCHED_ROUTE, text))
        return
    backend = config.backends[name]
    route = {"name": "default", "match": {"prefix": "/"}, "route": _direct(name, backend)}
    if backend.model is not None:
        post = {"name": ":method", "string_match": {"exact": METHOD}}
        unread = [not_yet_read()] if reads_any(config) else []  # a model that was read and matched nothing stays
        yield with_comment(
            f"Inference calls that match no workload go to {name}, with its model.",
            {
                **route,
                "match": with_facts({"prefix": "/", "headers": [post, *any_inference_path()]}, unread),
                "typed_per_filter_config": filters_of_unsplit_route(config, as_sent=False),
                **_common(config),
            },
        )
    yield with_comment(
        f"All other requests go to {name} as they are.",
        {**route, "typed_per_filter_config": filters_of_unsplit_route(config, as_sent=True), **_common(config)},
    )


def shadow_routes(config: Config, users: Mapping[str, Sequence[Json]] | None = None) -> list[Json]:
    """Return the routes of the shadow listener, which receives copies of requests.

    extproc sends the workload and the backend of a copy in headers. The name of the route repeats both for the access
    log. ``users``: by workload, what the user's routes do with requests to the baseline (``part_for_copies``); the
    first whose path condition a copy meets holds.
    """
    required = [with_comment(_why_required(name), _required_parts(config, name)) for name in config.workloads]
    routes = []
    for name, workload in config.workloads.items():
        comment = f"Copies of {name} for {workload.baseline}"
        route = _shadow_route(config, name, workload.baseline)
        as_users = [_as_users(route, part) for part in (users or {}).get(name, ())]
        routes += [with_comment(f"{comment}, as the user's route makes them.", one) for one in as_users]
        routes.append(with_comment(f"{comment}.", route))
        candidate = workload.candidate
        routes.append(with_comment(f"Copies of {name} for {candidate}.", _shadow_route(config, name, candidate)))
    text = (
        f"needs {envoy_names.HEADER_WORKLOAD} and {envoy_names.HEADER_TARGET} with a workload and one of its "
        "backends, and a path of this workload"
    )
    unmatched = with_comment(
        "Any other request is not a copy from extproc.", _not_found(envoy_names.UNMATCHED_ROUTE, text)
    )
    return [*required, _only_posts(), *routes, unmatched]


def _why_required(workload: str) -> str:
    return (
        f"Matches no request. It names what the split of {workload} needs. An Envoy that refuses a part of it refuses "
        "this listener too; without copies there is no evidence, and the share stays where it is."
    )


def _required_parts(config: Config, workload: str) -> Json:
    """Return a route that matches no request, and that Envoy refuses if it lacks a part of the workload's split.

    The parts are the clusters (``validate_clusters`` of the RouteConfiguration) and the filters. Envoy may take the
    live route without the clusters, because a route that comes by RDS is not checked.
    """
    no_request = {"name": ":method", "present_match": True, "invert_match": True}  # every request has a method
    return {
        "name": f"{envoy_names.ROUTE_PREFIX}{workload}/required",
        "match": {"prefix": "/", "headers": [no_request]},
        "route": {"weighted_clusters": weighted_clusters(config, workload), **policy_of_route(config, workload)},
        "typed_per_filter_config": filters_of_route(config, workload),
    }


def _shadow_route(config: Config, name: str, backend: str) -> Json:
    headers = [
        {"name": envoy_names.HEADER_WORKLOAD, "string_match": {"exact": name}},
        {"name": envoy_names.HEADER_TARGET, "string_match": {"exact": backend}},
        *path_headers_of_copies(config.workload(name)),
        *clear_path_headers(config.workload(name).match),
    ]
    served = served_digest(config, name)
    return {
        "name": envoy_names.shadow_route_name(name, backend),
        "match": {"prefix": "/", "headers": headers},
        "route": _direct(backend, config.backends[backend]),
        "metadata": {"filter_metadata": {envoy_names.METADATA: {envoy_names.ROUTE_SERVED: served}}},
        "request_headers_to_remove": list(TEE_HEADERS),
        "response_headers_to_add": [_instead(envoy_names.HEADER_SERVED, served)],
        "request_body_buffer_limit": config.envoy.max_body,
    }


def _as_users(route: Json, users: Json) -> Json:
    """Return a route of the shadow listener with the path condition, the rewrites and the header rules of a user's."""
    action = {**route["route"], **users["route"]}
    if any(key.startswith(("host_rewrite", "auto_host")) for key in users["route"]):
        del action["host_rewrite_literal"]
        action |= users["route"]
    return {
        **route,
        "match": {**users["match"], "headers": route["match"]["headers"]},
        "route": action,
        "request_headers_to_remove": [*users["request_headers_to_remove"], *route["request_headers_to_remove"]],
        "request_headers_to_add": users["request_headers_to_add"],
    }


def _refused_methods() -> Json:
    text = "TRACE and CONNECT are not served, because a backend would return the credential that Envoy adds"
    route = _answer(envoy_names.REFUSED_METHOD_ROUTE, 405, "method_not_allowed", text)
    match = {"prefix": "/", "headers": [method_header(REFUSED_METHODS)]}
    return with_comment("TRACE reaches no backend, which would return its credential.", {**route, "match": match})


def _only_posts() -> Json:
    text = f"serves only copies of requests, which have the method {METHOD}"
    route = _answer(envoy_names.REFUSED_METHOD_ROUTE, 405, "method_not_allowed", text)
    match = {"prefix": "/", "headers": [method_header(METHOD, inverted=True)]}
    return with_comment(f"Every copy has the method {METHOD}.", {**route, "match": match})


def _not_found(name: str, message: str) -> Json:
    """Return a route that answers every request with a 404."""
    return _answer(name, 404, "no_route", message)


def _answer(name: str, status: int, code: str, message: str) -> Json:
    """Return a route that answers every request with an error and a JSON body (ADR 0012)."""
    body = {"error": {"message": f"glidepath: {message}", "type": "invalid_request_error", "code": code}}
    return {
        "name": name,
        "match": {"prefix": "/"},
        "direct_response": {"status": status, "body": {"inline_string": json.dumps(body)}},
        "response_headers_to_add": [_instead("content-type", "application/json")],
    }


def _instead(header: str, value: str) -> Json:
    """Return the addition of a header that replaces one of the same name."""
    return {"header": {"key": header, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
