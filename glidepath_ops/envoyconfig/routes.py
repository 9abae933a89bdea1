"""Renders the routes of the live listener: those of each workload, and those of all other requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from glidepath import envoy_names, runtime_keys
from glidepath.config.root import Config
from glidepath_ops.envoyconfig.commented_yaml import Json, with_comment
from glidepath_ops.envoyconfig.direct_responses import not_found, refused_methods
from glidepath_ops.envoyconfig.filters import (
    filters_of_route,
    filters_of_unsplit_route,
)
from glidepath_ops.envoyconfig.lease_routes import lease_condition, lost_route
from glidepath_ops.envoyconfig.path_conditions import any_inference_path, clear_path_headers
from glidepath_ops.envoyconfig.request_reading import (
    filter_of_reading_route,
    kept_from_candidate,
    metadata_of_pinned_route,
    metadata_of_repeat_without_reasoning,
    not_yet_read,
    reads,
    reads_any,
    split_conditions,
    stateful_conditions,
    streamed,
    unread_conditions,
    with_facts,
)
from glidepath_ops.envoyconfig.route_conditions import (
    by_specificity,
    companion_paths,
    inference_match,
    match,
    other_models_excluded,
    with_headers,
)
from glidepath_ops.envoyconfig.route_metadata import route_metadata
from glidepath_ops.envoyconfig.route_overlap import METHOD
from glidepath_ops.envoyconfig.sticky_hash_policy import copied_headers, headers_from_bodies
from glidepath_ops.envoyconfig.weighted_split import split_action, to_backend


def live_routes(config: Config) -> list[Json]:
    """Return the routes of the live listener: those of all workloads, then those of all other requests.

    The first route refuses methods with which no backend may get a credential. The splits come next, then the routes
    for other calls on the paths of workloads. The last route leads to the default backend, or answers with a 404
    without one.
    """
    return [refused_methods(), *workload_routes(config), *_companions(config), *_default(config)]


def workload_routes(config: Config) -> Iterator[Json]:
    """Yield the routes of all workloads' inference calls, those with the most specific match first.

    If workloads differ only in the model, one route reads their requests. It comes after their splits in the list. A
    request takes this route first and, once it is read, one of the splits or a later route.
    """
    groups: dict[str, list[str]] = {}
    for name in by_specificity(config):
        rule = config.workload(name).match.model_copy(update={"model": None})
        groups.setdefault(rule.model_dump_json(), []).append(name)
    for names in groups.values():
        if reads(config, names[0]):
            yield from (kept for name in names for kept in _ineligible_routes(config, name))
        yield from (route for name in names for route in routes_of_workload(config, name, is_read=reads(config, name)))
        if reads(config, names[0]):
            yield from (pinned for name in names for pinned in _pinned_routes(config, name))
            yield _reading_route(config, names)


def routes_of_workload(config: Config, name: str, *, is_read: bool) -> list[Json]:
    """Return the routes of a workload for which the user has no route: its split, and a route in case it has no lease.

    ``is_read``: whether they have conditions on the facts about a request. If so, and the candidate's time limits for
    streams and for whole answers differ, the split has two routes. With ``if_lost: hold`` the split needs no lease, and
    the last route is left out.
    """
    workload = config.workload(name)
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
    """Yield the routes for requests that the candidate declares it cannot serve (ADR 0313)."""
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
        "route": to_backend(workload.baseline, config.backends[workload.baseline]),
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
            "route": to_backend(workload.baseline, config.backends[workload.baseline]),
            "typed_per_filter_config": {
                **filters_of_unsplit_route(config, as_sent=True),
                **filter_of_reading_route(),
            },
            **metadata_of_repeat_without_reasoning(config, names),
            **_common(config),
        },
    )


def _common(config: Config) -> Json:
    """Return the settings that every route has: a limit on buffered bodies, and the removal of the client's address.

    Envoy needs the buffered body to change or to retry the request.
    """
    removed = ["x-envoy-external-address", *headers_from_bodies(config), *copied_headers(config)]
    return {"request_headers_to_remove": removed, "request_body_buffer_limit": config.envoy.max_body}


def workload_route(
    config: Config, name: str, conditions: list[Json] | None = None, timeout: float | None = None
) -> Json:
    """Return a workload's route if the user has no route for it.

    ``conditions``: conditions on the facts about a request that was read (``request_reading.py``).
    ``timeout``: the candidate's limit in seconds until its first byte; None: the limit for streams.
    """
    workload = config.workload(name)
    return with_comment(
        f"Workload {name}: {workload.baseline} → {workload.candidate}. The share of requests whose bodies are captured "
        f"is the runtime key {runtime_keys.shadow_key(name)}.",
        {
            "name": envoy_names.route_name(name),
            "match": with_facts({**inference_match(workload.match), **lease_condition(config, name)}, conditions or []),
            "route": split_action(config, name, timeout),
            "metadata": route_metadata(config, name),
            "typed_per_filter_config": filters_of_route(config, name),
            **_common(config),
        },
    )


def _companions(config: Config) -> Iterator[Json]:
    """Yield the routes for other calls on the paths of workloads. The baselines serve them, and no body is changed.

    Examples are WebSocket, management calls below a prefix, and ``GET /v1/responses/{id}``.
    """
    for name in by_specificity(config):
        workload = config.workload(name)
        rule = companion_paths(workload.match)
        yield with_comment(
            f"Calls on the paths of {name} that are not inference go to {workload.baseline} unchanged.",
            {
                "name": envoy_names.companion_route_name(name),
                "match": with_headers(match(rule), [*other_models_excluded(workload.match), *clear_path_headers(rule)]),
                "route": to_backend(workload.baseline, config.backends[workload.baseline]),
                "typed_per_filter_config": filters_of_unsplit_route(config, as_sent=True),
                **_common(config),
            },
        )


def _default(config: Config) -> Iterator[Json]:
    """Yield the routes for requests that match no workload: they lead to the default backend, or answer 404."""
    name = config.envoy.default_backend
    if name is None:
        text = "no workload matches this request, and envoy.default_backend is not set"
        comment = "Requests that match no workload get a 404 with an explanation."
        yield with_comment(comment, not_found(envoy_names.UNMATCHED_ROUTE, text))
        return
    backend = config.backends[name]
    route = {"name": "default", "match": {"prefix": "/"}, "route": to_backend(name, backend)}
    if backend.model is not None:
        post = {"name": ":method", "string_match": {"exact": METHOD}}
        unread = [not_yet_read()] if reads_any(config) else []  # requests that were read keep their model
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
        f"All other requests go to {name} unchanged.",
        {**route, "typed_per_filter_config": filters_of_unsplit_route(config, as_sent=True), **_common(config)},
    )
