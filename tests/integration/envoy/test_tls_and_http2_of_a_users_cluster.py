"""Tests of a user's cluster with TLS and HTTP/2, in a real Envoy: its settings hold for every request."""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from glidepath_ops.envoyconfig.envoy_api_builders import assignment, socket_address
from glidepath_ops.local.child_process import free_ports
from tests.support.envoy_with_backends import EnvoySetup, envoy_with_backends
from tests.support.running_envoy import Edit
from tests.support.tls_certificate import make_certificate

TYPE = "type.googleapis.com/envoy.extensions."
OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
NAME = "models.example"
CLIENT = {"authorization": "Bearer client-key", "x-request-id": "one"}


def behind_tls_and_http2(folder: Path, backends: Sequence[str]) -> Edit:
    """Return an edit by which each ``their-BACKEND`` speaks HTTP/2 with TLS to a listener in front of the backend."""
    key, certificate = make_certificate(folder, NAME)
    ports = dict(zip(backends, free_ports(len(backends)), strict=True))

    def edit(bootstrap: dict[str, Any]) -> None:
        static = bootstrap["static_resources"]
        for backend, port in ports.items():
            (theirs,) = [one for one in static["clusters"] if one["name"] == f"their-{backend}"]
            static["clusters"].append({**deepcopy(theirs), "name": f"behind-{backend}"})
            static["listeners"].append(_server(f"behind-{backend}", port, key, certificate))
            theirs["load_assignment"] = assignment(theirs["name"], [socket_address("127.0.0.1", port)])
            theirs |= _client(certificate)

    return edit


def _server(cluster: str, port: int, key: Path, certificate: Path) -> dict[str, Any]:
    pair = {"certificate_chain": {"filename": str(certificate)}, "private_key": {"filename": str(key)}}
    tls = {
        "@type": TYPE + "transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {"tls_certificates": [pair], "alpn_protocols": ["h2"]},
    }
    host = {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": cluster}}]}
    manager = {
        "@type": TYPE + "filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": cluster,
        "codec_type": "HTTP2",
        "route_config": {"virtual_hosts": [host]},
        "http_filters": [
            {"name": "envoy.filters.http.router", "typed_config": {"@type": TYPE + "filters.http.router.v3.Router"}}
        ],
    }
    chain = {
        "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}],
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls},
    }
    return {"name": cluster, "address": socket_address("127.0.0.1", port), "filter_chains": [chain]}


def _client(certificate: Path) -> dict[str, Any]:
    tls = {
        "@type": TYPE + "transport_sockets.tls.v3.UpstreamTlsContext",
        "sni": NAME,
        "common_tls_context": {"validation_context": {"trusted_ca": {"filename": str(certificate)}}},
    }
    http2: dict[str, Any] = {
        "@type": TYPE + "upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    return {
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls},
        "typed_extension_protocol_options": {OPTIONS: http2},
    }


def secure_connections(setup: EnvoySetup, backend: str) -> int:
    """Return the number of connections of HTTP/2 that the user's cluster has opened, each after a TLS handshake."""
    prefix = f"cluster.their-{backend}."
    found = setup.envoy.stats(f"^{prefix}(ssl.handshake|upstream_cx_http2_total|upstream_cx_http1_total)$")
    assert found[f"{prefix}upstream_cx_http1_total"] == 0
    return min(found[f"{prefix}ssl.handshake"], found[f"{prefix}upstream_cx_http2_total"])


async def model(setup: EnvoySetup) -> str:
    reply = await setup.post(headers=CLIENT)
    assert reply.status == 200, reply.body
    return str(json.loads(reply.body)["model"])


@pytest.mark.parametrize("behaviour", ["status", "reset"])
@pytest.mark.parametrize("theirs", [("cloud",), ("cloud", "onprem")], ids="+".join)
async def test_a_rescue_and_a_copy_reach_a_users_cluster_with_tls_and_http2(
    tmp_path: Path, theirs: tuple[str, ...], behaviour: str
) -> None:
    edit = behind_tls_and_http2(tmp_path, theirs)
    async with envoy_with_backends(tmp_path, theirs={name: {} for name in theirs}, edit=edit) as setup:
        assert await model(setup) == "cloud"
        live = setup.cloud.last
        setup.set_share(100)
        assert await model(setup) == "onprem"
        setup.onprem.behaviour = behaviour  # type: ignore[assignment]
        assert await model(setup) == "cloud"
        rescued = setup.cloud.last
        assert (rescued.path, rescued.body) == (live.path, live.body)
        assert rescued.headers["authorization"] == CLIENT["authorization"]
        assert (await setup.tee("cloud")).status == 200
        assert len(setup.cloud.received) == 3
        for backend in theirs:
            assert secure_connections(setup, backend) >= 1
