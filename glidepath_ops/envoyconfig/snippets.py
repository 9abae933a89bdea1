"""Small pieces of Envoy configuration that several sections need."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

Json = dict[str, Any]

NOTE = "#"  # a mapping's first key; printed as a comment above it, never part of what Envoy reads
TYPE = "type.googleapis.com/envoy."


def noted(text: str, section: Json) -> Json:
    """``section`` with a comment for its readers."""
    return {NOTE: text, **section}


def plain(value: Any) -> Any:
    """The same without comments: what Envoy reads."""
    if isinstance(value, dict):
        return {key: plain(child) for key, child in value.items() if key != NOTE}
    return [plain(child) for child in value] if isinstance(value, list) else value


def typed(name: str, kind: str, **config: Any) -> Json:
    """An extension: its name and ``typed_config`` of type ``envoy.<kind>``."""
    return {"name": name, "typed_config": {"@type": TYPE + kind, **config}}


def seconds(value: float) -> str:
    """A protobuf Duration in JSON, to the millisecond."""
    return f"{value:.3f}".rstrip("0").rstrip(".") + "s"


def is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def address(text: str) -> Json:
    """``HOST:PORT`` or ``unix:/path`` (config.units.Address) as an Envoy Address."""
    if text.startswith("unix:"):
        return {"pipe": {"path": text.removeprefix("unix:")}}
    host, _, port = text.rpartition(":")
    return socket_address(host.strip("[]"), int(port))


def socket_address(host: str, port: int) -> Json:
    return {"socket_address": {"address": host, "port_value": port}}


def assignment(cluster: str, addresses: list[Json]) -> Json:
    endpoints = [{"endpoint": {"address": one}} for one in addresses]
    return {"cluster_name": cluster, "endpoints": [{"lb_endpoints": endpoints}]}


def grpc_service(cluster: str) -> Json:
    """No timeout: one stream lives as long as the exchange it follows."""
    return {"envoy_grpc": {"cluster_name": cluster}}
