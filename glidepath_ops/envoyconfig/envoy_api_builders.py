"""Builds messages of Envoy's API, as JSON data, that several parts of the configuration use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from glidepath_ops.envoyconfig.commented_yaml import Json

TYPE = "type.googleapis.com/envoy."
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"  # a cluster's typed_extension_protocol_options


def typed(name: str, kind: str, **config: Any) -> Json:
    """Return an extension of Envoy: its ``name``, and its ``typed_config`` with the type ``envoy.<kind>``."""
    return {"name": name, "typed_config": {"@type": TYPE + kind, **config}}


def seconds(value: float) -> str:
    """Return ``value`` seconds as a protobuf Duration in JSON, rounded to milliseconds."""
    return f"{value:.3f}".rstrip("0").rstrip(".") + "s"


def is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def address(text: str) -> Json:
    """Return an address of the configuration, ``HOST:PORT`` or ``unix:/path``, as an Address of Envoy's API."""
    if text.startswith("unix:"):
        return {"pipe": {"path": text.removeprefix("unix:")}}
    host, _, port = text.rpartition(":")
    return socket_address(host.strip("[]"), int(port))


def socket_address(host: str, port: int) -> Json:
    return {"socket_address": {"address": host, "port_value": port}}


def assignment(
    cluster: str, addresses: Sequence[Json], *, hostname: str | None = None, metadata: Mapping[str, Json] | None = None
) -> Json:
    """Return a ClusterLoadAssignment of ``cluster`` with one endpoint for each address.

    ``hostname`` replaces the Host header on routes with ``auto_host_rewrite``. ``metadata``: values by namespace.
    """
    named = {} if hostname is None else {"hostname": hostname}
    endpoints: list[Json] = [{"endpoint": {"address": one, **named}} for one in addresses]
    if metadata is not None:
        endpoints = [{**one, "metadata": {"filter_metadata": dict(metadata)}} for one in endpoints]
    return {"cluster_name": cluster, "endpoints": [{"lb_endpoints": endpoints}]}


def grpc_service(cluster: str, metadata: Mapping[str, str] | None = None) -> Json:
    """Return a GrpcService to ``cluster``, without a timeout: a stream lasts as long as the captured request.

    ``metadata`` is sent as the initial metadata of each stream.
    """
    service: Json = {"envoy_grpc": {"cluster_name": cluster}}
    if metadata:
        service["initial_metadata"] = [{"key": key, "value": value} for key, value in metadata.items()]
    return service


def upstream_codec() -> Json:
    """Return the last upstream filter of a cluster, which sends the request."""
    return typed("envoy.filters.http.upstream_codec", "extensions.filters.http.upstream_codec.v3.UpstreamCodec")


def header_set(name: str, value: str) -> Json:
    """Return a HeaderMutation that sets one header."""
    return {"append": {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}


def set_headers(values: Mapping[str, str]) -> Json:
    """Return the per-route configuration of a header mutation filter that sets the request headers ``values``."""
    return {
        "@type": TYPE + "extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute",
        "mutations": {"request_mutations": [header_set(name, value) for name, value in values.items()]},
    }
