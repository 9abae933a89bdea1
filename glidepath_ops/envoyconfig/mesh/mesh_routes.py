"""Render Glidepath's filters and routes for a mesh. The filters are disabled, and the routes enable them."""

from __future__ import annotations

from glidepath import envoy_names
from glidepath.config.root import Config
from glidepath_ops.envoyconfig import filters
from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.envoyconfig.envoy_api_builders import set_header
from glidepath_ops.envoyconfig.filters_off_by_default import FILTER_CONFIG, disabled, enabled_by
from glidepath_ops.envoyconfig.routes import workload_routes

PRIVATE_HEADERS = [*filters.TEE_HEADERS, envoy_names.HEADER_CLUSTER]
_NAMES = (filters.REMEMBER, filters.HEADER_MUTATION, filters.EXT_PROC)


def mesh_filters(config: Config, *, ext_proc: bool = True) -> list[Json]:
    """Return Glidepath's filters in the order of the filter chain, disabled unless a route of Glidepath enables them.

    The header mutation filter comes before ext_proc, because ext_proc must see what the filter can set in a mesh: a new
    request id, or a header with the chosen side.
    """
    found = [filters.remember_filter(config), filters.header_mutation_filter()]
    if ext_proc:
        found.append(filters.ext_proc_filter(config))
    return disabled(found)


def mesh_routes(config: Config, *, own_ids: bool = False) -> list[Json]:
    """Return Glidepath's routes, most specific first, with its filters enabled.

    With ``own_ids``, each request gets a new request id (ADR 0083).
    """
    return [_enabling(route, own_ids) for route in workload_routes(config)]


def _enabling(route: Json, own_ids: bool) -> Json:
    own = {filters.HEADER_MUTATION: _new_request_id()} if own_ids else {}
    headers = [*route["request_headers_to_remove"], *PRIVATE_HEADERS]
    return {
        **route,
        "typed_per_filter_config": enabled_by(route, _NAMES, own),
        "request_headers_to_remove": headers,
    }


def _new_request_id() -> Json:
    """Return a header mutation that sets a new request id, because applications may use one id for several calls.

    See ADR 0083.
    """
    return {"@type": FILTER_CONFIG, "config": set_header("x-request-id", "%UNIQUE_ID%")}
