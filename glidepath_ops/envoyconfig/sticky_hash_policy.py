"""Renders which value keeps a user on one side: the hash policy of a split, and the request headers that it hashes.

Envoy hashes a header, a cookie or the client's address, but not a body, and it also hashes an empty header. So a sticky
value of the body is hashed from a header that ``read_request.lua`` sets. An empty header is treated as absent: in the
rendered listener by a copy of the header (ADR 0307), on a user's route by a split of its own (ADR 0428).
"""

from __future__ import annotations

from glidepath import envoy_names
from glidepath.config.root import Config
from glidepath.config.sticky_values import Sticky
from glidepath_ops.envoyconfig.commented_yaml import Json


def hash_policy(sticky: Sticky) -> Json:
    """Return the RouteAction.HashPolicy that keeps a user on one side."""
    if sticky.request_header:
        return {"header": {"header_name": sticky.request_header}}
    if sticky.cookie is not None:
        return {"cookie": {"name": sticky.cookie}}
    return {"connection_properties": {"source_ip": True}}


def hash_policy_without_empty_values(sticky: Sticky) -> Json:
    """Return the hash policy for the rendered listener, which copies a sticky header if its value is not empty."""
    if sticky.header is None:
        return hash_policy(sticky)
    return {"header": {"header_name": envoy_names.copy_of_sticky_header(sticky.header)}}


def headers_from_bodies(config: Config) -> dict[str, str]:
    """Return the headers that carry sticky values of bodies, each with its key in the body; "" for the conversation."""
    found = [one.assignment for one in config.workloads.values()]
    return {sticky.request_header: sticky.body or "" for sticky in found if sticky is not None and sticky.from_body}


def copied_headers(config: Config) -> dict[str, str]:
    """Return the headers that carry non-empty sticky values, each with the sticky header that it copies.

    They exist only in the rendered listener, and no backend gets them.
    """
    found = (workload.assignment for workload in config.workloads.values())
    names = dict.fromkeys(one.header.lower() for one in found if one is not None and one.header is not None)
    return {envoy_names.copy_of_sticky_header(name): name for name in names}


def mutations_that_copy_headers(config: Config) -> list[Json]:
    """Return the header mutations that copy each sticky header. Envoy skips a mutation whose value is empty."""
    return [
        {"append": {"header": {"key": copy, "value": f"%REQ({name})%"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}
        for copy, name in copied_headers(config).items()
    ]


def with_empty_value(config: Config, workload: str, route: Json) -> list[Json]:
    """Return two routes: the split without hashing for requests with an empty sticky header, then the split itself.

    An empty value means no value, but Envoy would hash it. In the rendered listener, a filter prevents this by copying
    the header. In a user's listener, the copied header could reach backends of the user's other routes. See ADR 0307.
    """
    sticky, action = config.workload(workload).assignment, route["route"]
    split = action.get("weighted_clusters")
    if split is None or sticky is None or sticky.header is None:
        return [route]
    without = {key: value for key, value in split.items() if key != "use_hash_policy"}
    rest = {key: value for key, value in action.items() if key != "hash_policy"}
    empty = {"name": sticky.header.lower(), "string_match": {"exact": ""}}
    match = {**route["match"], "headers": [*(route["match"].get("headers") or []), empty]}
    return [
        {**route, "match": match, "route": {**rest, "weighted_clusters": without}},
        {**route, "route": {**action, "hash_policy": [hash_policy(sticky)]}},
    ]
