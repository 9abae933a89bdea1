"""The setup of ``tests.support.envoy_with_backends`` with Envoy Gateway's Envoy, and a service of the user."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from glidepath.config import Config, parse_config
from glidepath_ops.envoyconfig.commented_yaml import without_comments
from glidepath_ops.envoyconfig.mesh.envoy_gateway import GatewayRoutes, GatewayTarget, gateway_resources
from glidepath_ops.envoyconfig.mesh.gateway_routes import UsersFile, gateway_routes
from glidepath_ops.local.child_process import free_ports
from tests.support.envoy_collector import Collector
from tests.support.envoy_with_backends import CHAT, EnvoySetup
from tests.support.meshes import envoy_gateway_emulation
from tests.support.meshes.mesh_setup import MeshSetup
from tests.support.meshes.static_bootstrap import Xds, endpoint, running_mesh
from tests.support.recording_backend import Recorder

# The user's HTTPRoute: the models below /v1, with a header that the backend gets, and another service for the rest.
USERS_ROUTE = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: app, namespace: default}
spec:
  parentRefs: [{name: eg}]
  rules:
    - matches:
        - path: {type: PathPrefix, value: /v1}
      filters:
        - type: RequestHeaderModifier
          requestHeaderModifier: {set: [{name: authorization, value: Bearer route}], remove: [x-drop]}
      timeouts: {request: 60s}
      backendRefs:
        - {name: models, port: 80}
    - backendRefs: [{name: service, port: 80}]
"""
BASELINE = "httproute/default/app/rule/2/backend/0"  # the cluster of the rule that is added to it
# Another HTTPRoute of the user's, whose cluster is the candidate.
VLLM_ROUTE = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: vllm, namespace: default}
spec:
  parentRefs: [{name: eg}]
  hostnames: [vllm.example.com]
  rules:
    - backendRefs:
        - {name: vllm, port: 80}
"""
CANDIDATE = "httproute/default/vllm/rule/0"


def mesh_config(text: Mapping[str, Any], shadow: int, socket: Path, rtds: str = "127.0.0.1:1") -> Config:
    """Return the configuration with RTDS as the actuator, as on a cluster."""
    data = deepcopy(dict(text))
    data["envoy"] = {"shadow_listen": f"127.0.0.1:{shadow}", "actuator": "rtds", "rtds_address": rtds}
    data["extproc"] = {"listen": f"unix:{socket}"}
    return parse_config(yaml.safe_dump(data))


def gateway_xds(
    config: Config, port: int, backends: Mapping[str, str], *, patched: bool = True, tls_chain: bool = False
) -> Xds:
    """Return the xDS that Envoy Gateway would push for the completed ``USERS_ROUTE`` and Glidepath's resources.

    ``backends``: backendRef → its URL. Workloads that the user's HTTPRoute does not serve get a new HTTPRoute.
    """
    routes, text = gateway_routes(config, UsersFile("users.yaml", USERS_ROUTE), {}, "default", new_route=True)
    users = list(yaml.safe_load_all(str(text)))
    if "vllm" in backends:
        users.append(yaml.safe_load(VLLM_ROUTE))
    return _xds(config, users, routes, port, backends, patched, tls_chain)


def new_route_xds(config: Config, port: int, backends: Mapping[str, str], *, patched: bool = True) -> Xds:
    """Return the xDS with the unchanged ``USERS_ROUTE`` and a new HTTPRoute for every workload."""
    users = list(yaml.safe_load_all(USERS_ROUTE))
    return _xds(config, users, GatewayRoutes(new=tuple(config.workloads)), port, backends, patched, tls_chain=False)


def _xds(
    config: Config,
    users: list[Any],
    routes: GatewayRoutes,
    port: int,
    backends: Mapping[str, str],
    patched: bool,
    tls_chain: bool,
) -> Xds:
    resources = without_comments(gateway_resources(config, GatewayTarget(), routes))
    http_routes = users + envoy_gateway_emulation.of_kind(resources, "HTTPRoute")
    endpoints = {name: endpoint(url) for name, url in backends.items()}
    xds = envoy_gateway_emulation.translate(http_routes, port, endpoints, tls_chain)
    (policy,), (proxy,) = (
        envoy_gateway_emulation.of_kind(resources, "EnvoyPatchPolicy"),
        envoy_gateway_emulation.of_kind(resources, "EnvoyProxy"),
    )
    envoy_gateway_emulation.apply_proxy(xds, proxy)
    if patched:
        envoy_gateway_emulation.apply_policy(xds, policy)
    return xds


@asynccontextmanager
async def gateway_with_backends(
    folder: Path,
    *,
    new_route: bool = False,
    patched: bool = True,
    chat: Mapping[str, Any] | None = None,
    onprem: Mapping[str, Any] | None = None,
    rtds: str = "127.0.0.1:1",
    in_mesh: bool = False,
    baseline: str = BASELINE,
) -> AsyncIterator[MeshSetup]:
    """Run Envoy Gateway's Envoy and the backends. With ``new_route``, no HTTPRoute of the user serves the workload.

    ``chat``, ``onprem``: additional settings. ``rtds``: the address of the scorers, by default one that does not
    answer. ``in_mesh``: whether the candidate is the cluster of another HTTPRoute, and not a backend with a url.
    ``baseline``: the cluster of the rule that gets the split.
    """
    socket = folder / "extproc.sock"
    live, shadow, admin = free_ports(3)
    async with (
        Recorder("cloud") as cloud,
        Recorder("onprem") as candidate,
        Recorder("service") as service,
        Collector(socket) as collector,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session,
    ):
        theirs = {"url": cloud.url, "credential": {"passthrough": True}, "model": "cloud-model"}
        if not new_route:
            theirs = {"cluster": baseline, "host": "models.example.com", "model": "cloud-model"}
        where = {"cluster": CANDIDATE, "host": "vllm.example.com"} if in_mesh else {"url": candidate.url}
        text = {
            "backends": {
                "cloud": theirs,
                "onprem": {**where, "model": "onprem-model", **(onprem or {})},
            },
            "workloads": {"chat": {**CHAT, **(chat or {})}},
        }
        config = mesh_config(text, shadow, socket, rtds)
        backends = {"models": cloud.url, "glidepath-cloud": cloud.url, "service": service.url}
        if in_mesh:
            backends["vllm"] = candidate.url
        make = new_route_xds if new_route else gateway_xds
        xds = make(config, live, backends, patched=patched)
        with running_mesh(xds, config, folder, f"127.0.0.1:{live}", f"127.0.0.1:{admin}") as envoy:
            yield MeshSetup(EnvoySetup(cloud, candidate, collector, envoy, session), service)
