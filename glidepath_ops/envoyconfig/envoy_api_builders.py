"""Builders for messages of Envoy's API that several sections use, as JSON data."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from glidepath_ops.envoyconfig.commented_yaml import Json

TYPE = "type.googleapis.com/envoy."


def typed(name: str, kind: str, **config: Any) -> Json:
    """Return an extension: its name and a ``typed_config`` of type ``envoy.<kind>``."""
    return {"name": name, "typed_config": {"@type": TYPE + kind, **config}}


def seconds(value: float) -> str:
    """Return a protobuf Duration in JSON, rounded to milliseconds."""
    return f"{value:.3f}".rstrip("0").rstrip(".") + "s"


def is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def address(text: str) -> Json:
    """Return ``HOST:PORT`` or ``unix:/path`` (config.units.Address) as an Envoy Address."""
    if text.startswith("unix:"):
        return {"pipe": {"path": text.removeprefix("unix:")}}
    host, _, port = text.rpartition(":")
    return socket_address(host.strip("[]"), int(port))


def socket_address(host: str, port: int) -> Json:
    return {"socket_address": {"address": host, "port_value": port}}


def assignment(cluster: str, addresses: list[Json]) -> Json:
    """Return a ClusterLoadAssignment with one endpoint per address."""
    endpoints = [{"endpoint": {"address": one}} for one in addresses]
    return {"cluster_name": cluster, "endpoints": [{"lb_endpoints": endpoints}]}


def grpc_service(cluster: str) -> Json:
    """Return a GrpcService without a timeout: a stream lasts as long as the exchange that it captures."""
    return {"envoy_grpc": {"cluster_name": cluster}}


def set_header(name: str, value: str) -> Json:
    """Return the per-route configuration of a header mutation that sets one request header."""
    mutation = {"append": {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}
    return {
        "@type": TYPE + "extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute",
        "mutations": {"request_mutations": [mutation]},
    }
