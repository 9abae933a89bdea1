"""Renders the clusters of Glidepath's own gRPC servers: extproc, and the scorers (RTDS)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from glidepath import envoy_names, grpc_keepalive
from glidepath.config.root import Config
from glidepath.split_leases import lease_layers
from glidepath_ops.envoyconfig.commented_yaml import Json, with_comment
from glidepath_ops.envoyconfig.envoy_api_builders import (
    HTTP_OPTIONS,
    TYPE,
    address,
    assignment,
    is_ip,
    socket_address,
    typed,
    upstream_codec,
)

# A TCP health check that finds the leading scorer among all scorers (ADR 0073).
_CONNECT_CHECK = {
    "timeout": "1s",
    "interval": "1s",
    "no_traffic_interval": "1s",
    "unhealthy_threshold": 1,
    "healthy_threshold": 1,
    "tcp_health_check": {},
}
# Limits that the copies in Envoy's memory never reach (extproc.envoy_memory is at most 512 MiB). At such a limit, Envoy
# would not read from the client until extproc has read. See ADR 0150.
_BUFFER = 2**30
_WINDOW = 2**31 - 1  # the most that HTTP/2 allows (RFC 9113, 6.5.2)
_LOG_STREAMS = 1024
_MESSAGES = 64 * 2**10  # bytes of a stream's messages that are not bodies


def cluster_of_extproc(config: Config) -> Json:
    """Return the cluster of extproc. While extproc is slow, copied bodies wait in Envoy's memory; no client waits."""
    why = "Limits the cost of a frozen extproc. Streams above the limit are not captured; Envoy counts them."
    section = _grpc_server(envoy_names.EXTPROC_CLUSTER, config.extproc.addresses, config.extproc.max_streams, why)
    options = section["typed_extension_protocol_options"][HTTP_OPTIONS]
    options["explicit_http_config"]["http2_protocol_options"]["initial_stream_window_size"] = _WINDOW
    options["http_filters"] = [_copied_bytes(config), upstream_codec()]
    text = (
        "extproc receives copies of bodies. Two large limits keep clients from waiting; the Lua filter limits the "
        "bytes."
    )
    return with_comment(text, {**section, "per_connection_buffer_limit_bytes": _BUFFER})


def cluster_of_access_log(config: Config) -> Json:
    """Return the cluster for the access log, which extproc receives too.

    Its connections have Envoy's default limits: if extproc reads too slowly, Envoy drops log entries and counts them.
    With the large limits of ``cluster_of_extproc``, the entries would fill Envoy's memory.
    """
    why = "Each worker thread has one stream for each access log."
    section = _grpc_server(envoy_names.ACCESS_LOG_CLUSTER, config.extproc.addresses, _LOG_STREAMS, why)
    return with_comment("extproc receives the access log.", section)


def _copied_bytes(config: Config) -> Json:
    """Return the upstream filter that limits the bytes of copies in Envoy's memory."""
    extproc = config.extproc
    parameters = (
        f"local STREAM_BYTES = {2 * extproc.max_body + _MESSAGES}\nlocal WORKER_BYTES = {extproc.envoy_memory}\n\n"
    )
    source = {"inline_string": parameters + _program()}
    return typed("glidepath.copied_bytes", "extensions.filters.http.lua.v3.Lua", default_source_code=source)


@cache
def _program() -> str:
    return (files("glidepath_ops.envoyconfig") / "copied_bytes.lua").read_text()


def cluster_of_scorers(config: Config) -> Json:
    where = config.envoy.rtds_address or config.envoy.rtds_listen
    streams = 16 + len(lease_layers(config))
    section = _grpc_server(envoy_names.RTDS_CLUSTER, [where], streams, "RTDS needs one stream for each runtime layer.")
    if config.envoy.rtds_address is not None:
        section |= {
            "health_checks": [with_comment("Only the leading scorer listens.", dict(_CONNECT_CHECK))],
            "close_connections_on_host_health_failure": True,  # a failed machine cannot close its connections
            "common_lb_config": {"healthy_panic_threshold": {"value": 0}},  # normally one host of many is healthy
        }
    return with_comment("The scorer pushes runtime values by RTDS: the weights, or leases of splits.", section)


def _grpc_server(name: str, addresses: Sequence[str], max_requests: int, why: str) -> Json:
    """Return the cluster of one of Glidepath's gRPC servers (extproc, RTDS), with HTTP/2, on Unix sockets or TCP.

    ``why`` is the comment on the limit ``max_requests``.
    """
    endpoints = [_reachable(address(one)) for one in addresses]
    hosts = [one["socket_address"]["address"] for one in endpoints if "socket_address" in one]
    options = {
        "@type": TYPE + HTTP_OPTIONS.removeprefix("envoy."),
        "explicit_http_config": {
            "http2_protocol_options": {
                "connection_keepalive": {
                    "interval": f"{grpc_keepalive.PING_INTERVAL_S}s",
                    "timeout": f"{grpc_keepalive.PING_TIMEOUT_S}s",
                }
            }
        },
    }
    return {
        "name": name,
        "type": "STATIC" if all(is_ip(host) for host in hosts) else "STRICT_DNS",
        "connect_timeout": "0.25s",
        "lb_policy": "LEAST_REQUEST",
        "load_assignment": assignment(name, endpoints),
        "circuit_breakers": with_comment(why, {"thresholds": [{"max_requests": max_requests, "max_retries": 3}]}),
        "typed_extension_protocol_options": {HTTP_OPTIONS: options},
    }


def _reachable(where: Json) -> Json:
    """Return the address at which to reach a listen address: loopback if the server listens on all interfaces."""
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
    if "socket_address" in where:
        socket = where["socket_address"]
        return socket_address(local.get(socket["address"], socket["address"]), socket["port_value"])
    return where
