"""Renders a complete Envoy bootstrap from a ``glidepath.yaml``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from glidepath import envoy_names, runtime_keys
from glidepath.config.listen_addresses import ListenAddress, listen_addresses
from glidepath.config.root import Config
from glidepath.errors import ConfigError
from glidepath.split_leases import lease_layers
from glidepath_ops.envoyconfig import filters
from glidepath_ops.envoyconfig.access_log_tags import record_filters_of_copies
from glidepath_ops.envoyconfig.clusters import clusters
from glidepath_ops.envoyconfig.commented_yaml import Json, with_comment, without_comments
from glidepath_ops.envoyconfig.envoy_api_builders import TYPE, address
from glidepath_ops.envoyconfig.internal_hops import hop_extensions, hop_listeners
from glidepath_ops.envoyconfig.routes import live_routes
from glidepath_ops.envoyconfig.shadow_listener_routes import shadow_routes
from glidepath_ops.envoyconfig.sticky_hash_policy import mutations_that_copy_headers
from glidepath_ops.envoyconfig.weighted_split import start_weights

DEFAULT_ADMIN = "127.0.0.1:9901"
SHADOW_LISTENER = "glidepath-shadow"
LIVE_STATS, SHADOW_STATS = "glidepath_live", "glidepath_shadow"  # the prefixes in Envoy's stats: http.<prefix>.…

# Modes of the shadow listener's socket. Requests of any process that can connect get the backends' credentials. In
# containers, extproc and Envoy may run as different users of the same group (ADR 0072).
OWNER_ONLY, OWNER_AND_GROUP = 0o600, 0o660
# Envoy refuses a regular expression of more than 100 instructions by default: INFERENCE_PATHS has about 700. (The
# control planes of both meshes allow more than this.)
_REGEX_SIZE, _LARGEST_REGEX = "re2.max_program_size.error_level", 2000
# Envoy compares the same path that the backend serves, so no request leaves the paths of a workload (ADR 0190). The
# conditions of the routes exclude paths that Envoy does not normalise, such as those with escaped slashes.
_SAFE_PATHS = {
    "normalize_path": True,
    "merge_slashes": True,
    "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
}


def render_bootstrap(config: Config, *, admin: str | None = None, node: str = "envoy") -> Json:
    """Return Envoy's bootstrap as data without comments.

    ``admin`` is the address of Envoy's admin API, HOST:PORT or unix:/path; its default is ``admin_address``. ``node``
    is Envoy's node id. Raises ConfigError for settings that Envoy does not support.
    """
    bootstrap: Json = without_comments(annotated_bootstrap(config, admin=admin, node=node))
    return bootstrap


def annotated_bootstrap(
    config: Config, *, admin: str | None = None, node: str = "envoy", socket_mode: int = OWNER_AND_GROUP
) -> Json:
    """Return Envoy's bootstrap as data with comments, for ``to_yaml``. See ``render_bootstrap`` for the arguments.

    ``socket_mode``: the mode of the shadow listener's Unix socket, if it has one.
    """
    where = admin or admin_address(config)
    _refuse_admin_address(config, where)
    extensions = hop_extensions(config)
    return {
        "node": {"id": node, "cluster": "glidepath"},
        "admin": with_comment(
            "The admin API can change weights and read the configuration: keep it on loopback or a Unix socket.",
            {"address": address(where)},
        ),
        "layered_runtime": {"layers": runtime_layers(config)},
        "static_resources": {
            "listeners": [_live(config), shadow_listener(config, socket_mode=socket_mode), *hop_listeners(config)],
            "clusters": clusters(config),
        },
        **({"bootstrap_extensions": extensions} if extensions else {}),
    }


def _refuse_admin_address(config: Config, where: str) -> None:
    admin = ListenAddress("envoy", ("envoy", "admin"), where)
    for one in listen_addresses(config):
        if one.process == "envoy" and one.excludes(admin):
            raise ConfigError(
                f"{one.dotted}: {one.address} is also the address of Envoy's admin API ({where}): change one of them"
            )


def refuse_named_clusters(config: Config) -> None:
    """Raise ConfigError if a backend has ``cluster``, because a complete bootstrap has no cluster of the user."""
    for name, backend in config.backends.items():
        if backend.cluster is not None:
            raise ConfigError(
                f"backends.{name}.cluster: a complete bootstrap has no cluster {backend.cluster}; insert Glidepath "
                "into the bootstrap that has it (glidepath render envoy --into FILE), or give url instead"
            )


def refuse_without_routes(config: Config) -> None:
    """Raise ConfigError if a complete bootstrap would answer every request with a 404."""
    if not config.workloads and config.envoy.default_backend is None:
        raise ConfigError(
            "envoy.default_backend: is missing: without workloads, all requests go to it; to observe an Envoy that you "
            "have already, use `glidepath render envoy --into FILE`"
        )


def with_stand_ins(config: Config, bootstrap: Json) -> Json:
    """Return a complete bootstrap with an empty cluster for each ``backends.X.cluster``, so that Envoy can check it."""
    named = dict.fromkeys(one.cluster for one in config.backends.values() if one.cluster is not None)
    resources = bootstrap["static_resources"]
    clusters = [*resources["clusters"], *({"name": name, "type": "STATIC"} for name in named)]
    return {**bootstrap, "static_resources": {**resources, "clusters": clusters}}


def admin_address(config: Config) -> str:
    """Return the default address for Envoy's admin API.

    This is the first address in ``envoy.admin`` on loopback or on a Unix socket, otherwise 127.0.0.1:9901.
    """
    for url in config.envoy.admin:
        if url.startswith("unix:/"):
            return url
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1") and parts.port:
            return f"127.0.0.1:{parts.port}"
    return DEFAULT_ADMIN


def runtime_layers(config: Config) -> list[Json]:
    """Return the runtime layers, the lowest precedence first.

    They are static values, weights by RTDS (with ``envoy.actuator: rtds``), the leases of splits, and the admin layer.
    """
    values: dict[str, Any] = {_REGEX_SIZE: _LARGEST_REGEX}
    for name, workload in config.workloads.items():
        values |= {runtime_keys.weight_key(name, cluster): w for cluster, w in start_weights(config, name).items()}
        values[runtime_keys.shadow_key(name)] = _percent(workload.shadow.sample)
        values[runtime_keys.autopilot_key(name)] = 1
    if config.inventory is not None:
        values[runtime_keys.INVENTORY_SAMPLE] = _percent(config.inventory.sample)
    layers: list[Json] = [
        with_comment(
            "These values apply after a restart, until the scorer writes again.",
            {"name": "glidepath-file", "static_layer": values},
        )
    ]
    if config.envoy.actuator == "rtds" and config.workloads:
        text = "Weights pushed by the scorer. Without the scorer, Envoy starts with the values of the first layer."
        layers.append(with_comment(text, _rtds_layer("glidepath-fleet", envoy_names.RTDS_LAYER)))
    layers += _lease_layers(config)
    layers.append(
        with_comment(
            "The last layer has precedence, so a manual override by curl takes effect.",
            {"name": "admin", "admin_layer": {}},
        )
    )
    return layers


def _percent(sample: float) -> Any:
    """Return ``sample`` percent in the form that Envoy expects as a runtime value.

    Envoy reads an integer as percent. A fraction of a percent needs a numerator and a denominator.
    """
    if sample == int(sample):
        return int(sample)
    return {"numerator": round(sample * 10_000), "denominator": "MILLION"}


def _lease_layers(config: Config) -> list[Json]:
    """Return the layers in which the leader leases splits to Envoy. There are none without ``if_lost: baseline``."""
    layers = lease_layers(config)
    if not layers:
        return []
    leases = [
        with_comment(
            f"Leases of {', '.join(one.workloads)}. Envoy drops this layer {one.ttl_s:g} s after the scorer's last "
            "renewal; the splits then match nothing, and the baseline serves all requests.",
            _rtds_layer(one.name, one.name),
        )
        for one in layers
    ]
    drill = _rtds_layer(envoy_names.LEASE_DRILL_LAYER, envoy_names.LEASE_DRILL_LAYER)
    return [*leases, with_comment("Empty, except while `glidepath drill --lost` lets a lease end.", drill)]


def _rtds_layer(name: str, resource: str) -> Json:
    # Envoy's default backoff grows to 30 s, which would delay a new leader's first weights, and end the leases.
    back_off = {"retry_back_off": {"base_interval": "0.25s", "max_interval": "1s"}}
    source = {
        "resource_api_version": "V3",
        "api_config_source": {
            "api_type": "GRPC",
            "transport_api_version": "V3",
            "grpc_services": [{"envoy_grpc": {"cluster_name": envoy_names.RTDS_CLUSTER, "retry_policy": back_off}}],
        },
        "initial_fetch_timeout": "1s",
    }
    return {"name": name, "rtds_layer": {"name": resource, "rtds_config": source}}


_REQUEST_ID = TYPE + "extensions.request_id.uuid.v3.UuidRequestIdConfig"


# A backend's own id, such as OpenAI's, stays.
_RETURNED_ID = {
    "header": {"key": "x-request-id", "value": "%REQ(X-REQUEST-ID)%"},
    "append_action": "ADD_IF_ABSENT",
}


def _live(config: Config) -> Json:
    manager = _manager(config, LIVE_STATS, envoy_names.LIVE_LOG, live_routes(config))
    manager |= {
        "use_remote_address": True,  # ignore clients' x-envoy-* headers, generate request ids
        "skip_xff_append": True,
        # A client finds its own id in logs and pairs (ADR 0314).
        "preserve_external_request_id": True,
        "request_id_extension": {"typed_config": {"@type": _REQUEST_ID, "pack_trace_reason": False}},
        "early_header_mutation_extensions": [filters.strip_tee_headers(mutations_that_copy_headers(config))],
        "upgrade_configs": [{"upgrade_type": "websocket"}],  # never on a split: its requests are POSTs
        "http_filters": [*filters.route_filters(config), filters.router_filter()],
    }
    if any(workload.feedback is not None for workload in config.workloads.values()):
        manager["always_set_request_id_in_response"] = True  # with this id, clients give feedback (ADR 0227)
    host = manager["route_config"]["virtual_hosts"][0]
    host["response_headers_to_add"] = [_RETURNED_ID]
    return with_comment("The listener for clients.", _listener("glidepath-live", config.envoy.listen, manager))


def shadow_listener(
    config: Config, users: Mapping[str, Sequence[Json]] | None = None, *, socket_mode: int = OWNER_AND_GROUP
) -> Json:
    """Return the listener for copies of requests: on loopback, or on a Unix socket (ADR 0072, ADR 0190).

    ``users``: see ``shadow_routes``. ``socket_mode``: the mode of the Unix socket.
    """
    manager = _manager(config, SHADOW_STATS, envoy_names.SHADOW_LOG, shadow_routes(config, users))
    manager["route_config"]["validate_clusters"] = True
    manager |= {
        "preserve_external_request_id": True,
        "http_filters": [
            filters.tee_filter(config),
            *record_filters_of_copies(config),
            *filters.filters_without_memory(),
            filters.router_filter(),
        ],
    }
    text = (
        "The listener for extproc's copies. They use the same clusters, credentials and clock as live traffic. "
        "Keep this listener on loopback or on a Unix socket."
    )
    listener = _listener(SHADOW_LISTENER, config.envoy.shadow_listen, manager)
    if "pipe" in listener["address"]:
        listener["address"]["pipe"]["mode"] = socket_mode
    return with_comment(text, listener)


def _listener(name: str, where: str, manager: Json) -> Json:
    network_filter = {"name": filters.MANAGER, "typed_config": manager}
    return {"name": name, "address": address(where), "filter_chains": [{"filters": [network_filter]}]}


def _manager(config: Config, stats: str, log: str, routes: list[Json]) -> Json:
    host = {
        "name": stats,
        "domains": ["*"],
        "routes": routes,
    }
    return {
        "@type": filters.MANAGER_TYPE,
        "stat_prefix": stats,
        "generate_request_id": True,
        "server_header_transformation": "PASS_THROUGH",
        "stream_idle_timeout": "3600s",  # each route sets its own
        # Messages that a client could send directly to its backend must pass Envoy, too (docs/reference/limits.md).
        "max_request_headers_kb": -(-config.envoy.max_header_bytes // 1024),
        "common_http_protocol_options": {"max_headers_count": config.envoy.max_headers},
        "http_protocol_options": {"accept_http_10": True, "default_host_for_http_10": "localhost"},
        **_SAFE_PATHS,
        "access_log": [filters.access_log(config, log)],
        "route_config": {"name": stats, "virtual_hosts": [host]},
    }
