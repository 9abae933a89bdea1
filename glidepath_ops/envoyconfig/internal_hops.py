"""Renders internal hops. A hop is a listener inside Envoy that forwards each request unchanged to the user's cluster.

A candidate needs a hop if the workload has a fallback and both of its backends are clusters of the user. The fallback
is an aggregate cluster: the first attempt goes to the candidate, the second to the baseline. The aggregate cluster
takes the backend of an attempt from the metadata of the endpoint, which endpoints in a user's cluster do not have. So
the aggregate cluster gets, in place of the candidate's cluster, a cluster whose only endpoint is the hop, with this
metadata (ADR 0180).
"""

from __future__ import annotations

from collections.abc import Iterator

from glidepath import envoy_names
from glidepath.config.root import Config
from glidepath.config.workload import Workload
from glidepath_ops.envoyconfig import filters
from glidepath_ops.envoyconfig.commented_yaml import Json, with_comment
from glidepath_ops.envoyconfig.envoy_api_builders import HTTP_OPTIONS, TYPE, assignment, seconds, typed
from glidepath_ops.envoyconfig.sticky_hash_policy import hash_policy

INTERNAL_LISTENERS = "envoy.bootstrap.internal_listener"
_MOST = 2**32 - 1
_MOST_HEADERS = {"max_headers_count": 10_000}
_MOST_HEADERS_KB = 8192  # Envoy's maximum, so that only the limits of the live listener and of the user's cluster apply


def needs_hop(config: Config, workload: Workload) -> bool:
    """Return whether requests reach the workload's candidate through an internal hop.

    They do if the workload has a fallback, and both of its backends are clusters that the user's Envoy already has.
    """
    sides = (config.backends[workload.candidate], config.backends[workload.baseline])
    return workload.fallback and all(side.cluster is not None for side in sides)


def candidates_with_hop(config: Config) -> list[str]:
    """Return the candidates that need an internal hop, each once."""
    return list(dict.fromkeys(w.candidate for w in config.workloads.values() if needs_hop(config, w)))


def hop_clusters(config: Config) -> Iterator[Json]:
    """Yield the cluster of each hop.

    The cluster's endpoint is the listener inside Envoy. The metadata of the endpoint name the backend.
    """
    for name in candidates_with_hop(config):
        hop = envoy_names.hop(name)
        inside = {"envoy_internal_address": {"server_listener_name": hop}}
        metadata = {envoy_names.METADATA: {envoy_names.ENDPOINT_BACKEND: name}}
        limits = {f"max_{what}": _MOST for what in ("connections", "pending_requests", "requests", "retries")}
        options: Json = {
            "@type": TYPE + HTTP_OPTIONS.removeprefix("envoy."),
            "common_http_protocol_options": {**_MOST_HEADERS, "max_response_headers_kb": _MOST_HEADERS_KB},
            "explicit_http_config": {"http_protocol_options": {}},
        }
        cluster: Json = {
            "name": hop,
            "type": "STATIC",
            "connect_timeout": seconds(config.backends[name].connect_timeout),
            "load_assignment": assignment(hop, [inside], metadata=metadata),
            "circuit_breakers": {"thresholds": [limits]},
            "typed_extension_protocol_options": {HTTP_OPTIONS: options},
        }
        text = f"{name}: a listener inside Envoy, which leads to the cluster {config.backends[name].cluster}."
        yield with_comment(text, cluster)


def hop_listeners(config: Config) -> Iterator[Json]:
    """Yield the listener of each hop. No client can reach it, and it changes neither requests nor answers."""
    for name in candidates_with_hop(config):
        hop = envoy_names.hop(name)
        action: Json = {"cluster": config.backends[name].cluster, "timeout": "0s", "idle_timeout": "0s"}
        policies = _hash_policies(config, name)
        if policies:
            action["hash_policy"] = policies
        host = {"name": hop, "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": action}]}
        manager: Json = {
            "@type": filters.MANAGER_TYPE,
            "stat_prefix": hop.replace("-", "_"),
            # A control plane may send the user's cluster later, or not at all. Until then, requests are rescued.
            "route_config": {"name": hop, "virtual_hosts": [host], "validate_clusters": False},
            "generate_request_id": False,
            "preserve_external_request_id": True,
            "use_remote_address": False,
            "skip_xff_append": True,
            "server_header_transformation": "PASS_THROUGH",
            "normalize_path": False,
            "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
            "stream_idle_timeout": "0s",  # the live route's limit applies
            "max_request_headers_kb": _MOST_HEADERS_KB,
            "common_http_protocol_options": _MOST_HEADERS,
            "http_filters": [filters.router_filter()],
        }
        chain = {"filters": [{"name": filters.MANAGER, "typed_config": manager}]}
        listener = {"name": hop, "internal_listener": {}, "filter_chains": [chain]}
        yield with_comment(
            f"{name}: the listener inside Envoy. It has no address, so nothing else can use it.", listener
        )


def _hash_policies(config: Config, name: str) -> list[Json]:
    """Return the hash policies with which the user's cluster keeps each user on one endpoint, if it chooses by a hash.

    Cookies and the client's address do not reach the hop, so they cannot be used.
    """
    sticky = (w.declared_sticky for w in config.workloads.values() if w.candidate == name and needs_hop(config, w))
    found = [hash_policy(one) for one in sticky if one is not None and one.header is not None]
    return [one for index, one in enumerate(found) if one not in found[:index]]


def hop_extensions(config: Config) -> list[Json]:
    """Return the entries of ``bootstrap_extensions`` that Envoy needs for listeners inside it."""
    if not candidates_with_hop(config):
        return []
    return [typed(INTERNAL_LISTENERS, "extensions.bootstrap.internal_listener.v3.InternalListener")]
