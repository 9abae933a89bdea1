"""The setup of ``tests.support.envoy_with_backends`` with Istio's Envoy, and with another service of the user.

The baseline is the service to which the user's VirtualService routes already.
"""

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
from glidepath_ops.envoyconfig.mesh.continued_virtual_services import (
    ContinuedRoutes,
    complete_virtual_services,
)
from glidepath_ops.envoyconfig.mesh.istio import CONTEXTS, Context, IstioTarget, istio_resources
from glidepath_ops.envoyconfig.mesh.new_virtual_service import routes_of_service
from glidepath_ops.local.child_process import free_ports
from tests.support.envoy_collector import Collector
from tests.support.envoy_with_backends import CHAT, EnvoySetup
from tests.support.meshes import istio_emulation
from tests.support.meshes.mesh_setup import MeshSetup
from tests.support.meshes.static_bootstrap import Xds, endpoint, running_mesh
from tests.support.recording_backend import Recorder

LLM, PORT = "llm.models.svc.cluster.local", 8000
CLUSTER = f"outbound|{PORT}||{LLM}"
VLLM = "vllm.models.svc.cluster.local"
CANDIDATE = f"outbound|{PORT}||{VLLM}"  # a candidate that is a service of the mesh
VIRTUAL_SERVICE = f"""\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: assistant, namespace: istio-system}}
spec:
  hosts: ["*"]
  gateways: [public]
  http:
  - name: models
    match: [{{uri: {{prefix: /v1/}}}}]
    corsPolicy: {{allowOrigins: [{{exact: "https://app.example"}}], allowMethods: [POST]}}
    headers:
      request: {{set: {{x-tenant: blue}}}}
      response: {{set: {{x-served: models}}}}
    timeout: 60s
    route: [{{destination: {{host: {LLM}, port: {{number: {PORT}}}}}}}]
  - name: pages
    route: [{{destination: {{host: app.default.svc.cluster.local, port: {{number: 80}}}}}}]
"""
SIDECAR = IstioTarget(context="sidecar", namespace="apps", selector={"app": "assistant"})
LABELS = {"istio": "ingressgateway", "app": "assistant"}


def istio_config(text: Mapping[str, Any], shadow: int, socket: Path, rtds: str = "127.0.0.1:1") -> Config:
    """Return the configuration with the user's service as baseline and with RTDS as the actuator, as on a cluster."""
    data = deepcopy(dict(text))
    data["envoy"] = {"shadow_listen": f"127.0.0.1:{shadow}", "actuator": "rtds", "rtds_address": rtds}
    data["extproc"] = {"listen": f"unix:{socket}"}
    data["backends"]["cloud"] = {"cluster": CLUSTER, "host": LLM}
    return parse_config(yaml.safe_dump(data))


def routes_to_split(config: Config, context: Context) -> ContinuedRoutes:
    """Return the continued routes of the user's VirtualService (gateway), or the routes of a new one (sidecar)."""
    if context == "gateway":
        return complete_virtual_services(VIRTUAL_SERVICE, config, "virtual-service.yaml")
    return routes_of_service(config, f"{LLM}:{PORT}", context, SIDECAR.namespace, SIDECAR.selector)


def istio_xds(
    config: Config,
    context: Context,
    port: int,
    model: str,
    service: str,
    *,
    split: bool = True,
    vllm: str | None = None,
) -> Xds:
    """Return the xDS that istiod would push. Without ``split``, there is no EnvoyFilter.

    ``model``, ``service``: the URLs of the user's model service and of their other service. ``vllm``: the URL of the
    candidate if it is a service of the mesh, else None.
    """
    users = {CLUSTER: endpoint(model), istio_emulation.APP: endpoint(service)}
    if vllm is not None:
        users[CANDIDATE] = endpoint(vllm)
    shape = istio_emulation.gateway if context == "gateway" else istio_emulation.sidecar
    xds = shape(port, users)
    routes = routes_to_split(config, context)
    place = IstioTarget() if context == "gateway" else SIDECAR
    resources = [*yaml.safe_load_all(routes.text or ""), *without_comments(istio_resources(config, place, routes))]
    services = [one for one in resources if one and one["kind"] == "VirtualService"]
    istio_emulation.apply_virtual_services(xds, services, LABELS)
    if split:
        filters = [one for one in resources if one and one["kind"] == "EnvoyFilter"]
        istio_emulation.apply(xds, CONTEXTS[context], filters, LABELS)
    return xds


@asynccontextmanager
async def istio_with_backends(
    folder: Path,
    context: Context,
    *,
    chat: Mapping[str, Any] | None = None,
    onprem: Mapping[str, Any] | None = None,
    rtds: str = "127.0.0.1:1",
    split: bool = True,
    in_mesh: bool = False,
) -> AsyncIterator[MeshSetup]:
    """Run Istio's Envoy and the backends. ``chat``, ``onprem``: additional settings. ``rtds``: the scorers' address.

    By default, no scorer answers. ``in_mesh``: whether the candidate is a service of the mesh, and not a backend with a
    url.
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
        where = {"cluster": CANDIDATE, "host": VLLM} if in_mesh else {"url": candidate.url}
        text = {
            "backends": {"onprem": {**where, "model": "onprem-model", **(onprem or {})}},
            "workloads": {"chat": {**CHAT, **(chat or {})}},
        }
        config = istio_config(text, shadow, socket, rtds)
        vllm = candidate.url if in_mesh else None
        xds = istio_xds(config, context, live, cloud.url, service.url, split=split, vllm=vllm)
        with running_mesh(xds, config, folder, f"127.0.0.1:{live}", f"127.0.0.1:{admin}") as envoy:
            yield MeshSetup(EnvoySetup(cloud, candidate, collector, envoy, session), service)
