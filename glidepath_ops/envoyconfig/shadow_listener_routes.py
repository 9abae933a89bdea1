"""Renders the routes of the shadow listener, which receives copies of requests: one per workload and backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from glidepath import envoy_names
from glidepath.config.root import Config
from glidepath.served_digest import served_digest
from glidepath_ops.envoyconfig.access_log_tags import TEE_HEADERS
from glidepath_ops.envoyconfig.commented_yaml import Json, with_comment
from glidepath_ops.envoyconfig.direct_responses import instead_of_header, not_found, only_posts
from glidepath_ops.envoyconfig.fallback_retries import policy_of_route
from glidepath_ops.envoyconfig.filters import filters_of_route
from glidepath_ops.envoyconfig.path_conditions import clear_path_headers, path_headers_of_copies
from glidepath_ops.envoyconfig.weighted_split import to_backend, weighted_clusters


def shadow_routes(config: Config, users: Mapping[str, Sequence[Json]] | None = None) -> list[Json]:
    """Return the routes of the shadow listener, which receives copies of requests.

    extproc sends the workload and the backend of a copy in headers. The name of the route repeats both for the access
    log.
    ``users``: by workload, the effects of the user's routes on requests to the baseline (``part_for_copies``). The
    first one whose path condition a copy meets applies.
    """
    required = [with_comment(_why_required(name), _required_parts(config, name)) for name in config.workloads]
    routes = []
    for name, workload in config.workloads.items():
        comment = f"Copies of {name} for {workload.baseline}"
        route = _shadow_route(config, name, workload.baseline)
        as_users = [_as_users(route, part) for part in (users or {}).get(name, ())]
        routes += [with_comment(f"{comment}, changed as the user's route changes requests.", one) for one in as_users]
        routes.append(with_comment(f"{comment}.", route))
        candidate = workload.candidate
        routes.append(with_comment(f"Copies of {name} for {candidate}.", _shadow_route(config, name, candidate)))
    text = (
        f"needs {envoy_names.HEADER_WORKLOAD} and {envoy_names.HEADER_TARGET} with a workload and one of its "
        "backends, and a path of this workload"
    )
    unmatched = with_comment(
        "Any other request is not a copy from extproc.", not_found(envoy_names.UNMATCHED_ROUTE, text)
    )
    return [*required, only_posts(), *routes, unmatched]


def _why_required(workload: str) -> str:
    return (
        f"Matches no request. It names all parts that the split of {workload} needs. An Envoy that refuses a part of "
        "it refuses this listener too; without copies there is no evidence, and the share stays where it is."
    )


def _required_parts(config: Config, workload: str) -> Json:
    """Return a route that matches no request. Envoy refuses the route if Envoy lacks a part of the workload's split.

    The parts are the clusters (``validate_clusters`` of the RouteConfiguration) and the filters. Envoy may accept the
    live route without the clusters, because it does not check a route that comes by RDS.
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
        "route": to_backend(backend, config.backends[backend]),
        "metadata": {"filter_metadata": {envoy_names.METADATA: {envoy_names.ROUTE_SERVED: served}}},
        "request_headers_to_remove": list(TEE_HEADERS),
        "response_headers_to_add": [instead_of_header(envoy_names.HEADER_SERVED, served)],
        "request_body_buffer_limit": config.envoy.max_body,
    }


def _as_users(route: Json, users: Json) -> Json:
    """Return a shadow listener's route with the path condition, the rewrites and the header rules of a user's route."""
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
