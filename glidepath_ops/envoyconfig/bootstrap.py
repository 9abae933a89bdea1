"""One Envoy bootstrap from one ``glidepath.yaml``."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from glidepath import keys
from glidepath.config.root import Config
from glidepath_ops.envoyconfig import filters
from glidepath_ops.envoyconfig.clusters import clusters
from glidepath_ops.envoyconfig.commented_yaml import Json, with_comment, without_comments
from glidepath_ops.envoyconfig.envoy_messages import address
from glidepath_ops.envoyconfig.routes import live_routes, shadow_routes, start_weights

DEFAULT_ADMIN = "127.0.0.1:9901"
LIVE_STATS, SHADOW_STATS = "glidepath_live", "glidepath_shadow"  # http.<these>.… in Envoy's stats


def render_bootstrap(config: Config, *, admin: str | None = None, node: str = "envoy") -> Json:
    """The bootstrap as plain data.

    ``admin``: where Envoy's admin API listens (HOST:PORT or unix:/path); absent: the port of the first ``envoy.admin``
    URL on loopback, or 127.0.0.1:9901. ``node``: Envoy's node id. Raises ConfigError for what Envoy cannot express.
    """
    bootstrap: Json = without_comments(annotated_bootstrap(config, admin=admin, node=node))
    return bootstrap


def annotated_bootstrap(config: Config, *, admin: str | None = None, node: str = "envoy") -> Json:
    """The same with comments (``parts.NOTE``), for ``to_yaml``."""
    return {
        "node": {"id": node, "cluster": "glidepath"},
        "admin": with_comment(
            "Whoever reaches this changes weights and reads the configuration: keep it on loopback or a Unix socket.",
            {"address": address(admin or admin_address(config))},
        ),
        "layered_runtime": {"layers": runtime_layers(config)},
        "static_resources": {"listeners": [_live(config), shadow_listener(config)], "clusters": clusters(config)},
    }


def admin_address(config: Config) -> str:
    """Where the rendered Envoy's admin API listens, unless told otherwise."""
    for url in config.envoy.admin:
        if url.startswith("unix:/"):
            return url
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1") and parts.port:
            return f"127.0.0.1:{parts.port}"
    return DEFAULT_ADMIN


def runtime_layers(config: Config) -> list[Json]:
    """The file's values, RTDS where it is the actuator, and what people and the scorer write, in this order."""
    values: dict[str, Any] = {}
    for name, workload in config.workloads.items():
        values |= {keys.weight_key(name, cluster): w for cluster, w in start_weights(config, name).items()}
        values[keys.shadow_key(name)] = _percent(workload.shadow.sample)
        values[keys.autopilot_key(name)] = 1
    layers: list[Json] = [
        with_comment(
            "What holds after a restart, until the scorer has written again.",
            {"name": "glidepath-file", "static_layer": values},
        )
    ]
    if config.envoy.actuator == "rtds":
        layers.append(_rtds_layer())
    layers.append(with_comment("Last, so that a person's curl wins.", {"name": "admin", "admin_layer": {}}))
    return layers


def _percent(sample: float) -> Any:
    """Envoy reads whole numbers as percent; a part of one needs its own form."""
    if sample == int(sample):
        return int(sample)
    return {"numerator": round(sample * 10_000), "denominator": "MILLION"}


def _rtds_layer() -> Json:
    # Envoy's default grows to 30 s: too long for a new leader's first word.
    back_off = {"retry_back_off": {"base_interval": "0.25s", "max_interval": "1s"}}
    source = {
        "resource_api_version": "V3",
        "api_config_source": {
            "api_type": "GRPC",
            "transport_api_version": "V3",
            "grpc_services": [{"envoy_grpc": {"cluster_name": keys.RTDS_CLUSTER, "retry_policy": back_off}}],
        },
        "initial_fetch_timeout": "1s",
    }
    layer = {"name": "glidepath-fleet", "rtds_layer": {"name": keys.RTDS_LAYER, "rtds_config": source}}
    return with_comment("Weights pushed by the scorer; without it Envoy starts with the file's.", layer)


def _live(config: Config) -> Json:
    manager = _manager(config, LIVE_STATS, keys.LIVE_LOG, live_routes(config))
    manager |= {
        "use_remote_address": True,  # x-envoy-* headers of strangers are not obeyed, request ids are ours
        "skip_xff_append": True,
        "early_header_mutation_extensions": [filters.strip_ours()],
        "http_filters": [
            filters.remember_filter(config),
            filters.ext_proc_filter(config),
            filters.header_mutation_filter(),
            filters.router_filter(),
        ],
    }
    return with_comment("Where clients call.", _listener("glidepath-live", config.envoy.listen, manager))


# See ADR 0072.
def shadow_listener(config: Config) -> Json:
    """Where the tee's copies come in."""
    manager = _manager(config, SHADOW_STATS, keys.SHADOW_LOG, shadow_routes(config))
    manager |= {
        "preserve_external_request_id": True,
        "http_filters": [filters.tee_filter(config), filters.router_filter()],
    }
    text = "Where extproc sends its copies: the same clusters, credentials and clock as live traffic. Loopback only."
    return with_comment(text, _listener("glidepath-shadow", config.envoy.shadow_listen, manager))


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
        "access_log": [filters.access_log(config, log)],
        "route_config": {"name": stats, "virtual_hosts": [host]},
    }
