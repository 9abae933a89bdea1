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
from glidepath_ops.envoyconfig.mesh.envoy_gateway import Capture, GatewayTarget, gateway_resources
from glidepath_ops.local.child_process import free_ports
from tests.support.envoy_collector import Collector
from tests.support.envoy_with_backends import CHAT, EnvoySetup
from tests.support.meshes import envoy_gateway_emulation
from tests.support.meshes.mesh_setup import MeshSetup
from tests.support.meshes.static_bootstrap import Xds, endpoint, running_mesh
from tests.support.recording_backend import Recorder


def mesh_config(text: Mapping[str, Any], shadow: int, socket: Path, rtds: str = "127.0.0.1:1") -> Config:
    """Return the configuration with RTDS as the actuator, as on a cluster."""
    data = deepcopy(dict(text))
    data["envoy"] = {"shadow_listen": f"127.0.0.1:{shadow}", "actuator": "rtds", "rtds_address": rtds}
    data["extproc"] = {"listen": f"unix:{socket}"}
    return parse_config(yaml.safe_dump(data))


def gateway_xds(config: Config, capture: Capture, port: int, service: str, *, tls_chain: bool = False) -> Xds:
    """Return the xDS that Envoy Gateway would push with Glidepath's resources."""
    resources = without_comments(gateway_resources(config, GatewayTarget(capture=capture)))
    xds = envoy_gateway_emulation.translate(resources, port, endpoint(service), tls_chain)
    (policy,), (proxy,) = (
        envoy_gateway_emulation.of_kind(resources, "EnvoyPatchPolicy"),
        envoy_gateway_emulation.of_kind(resources, "EnvoyProxy"),
    )
    envoy_gateway_emulation.apply_proxy(xds, proxy)
    envoy_gateway_emulation.apply_policy(xds, policy)
    return xds


@asynccontextmanager
async def mesh_with_backends(
    folder: Path,
    mesh: str,
    *,
    chat: Mapping[str, Any] | None = None,
    onprem: Mapping[str, Any] | None = None,
    rtds: str = "127.0.0.1:1",
) -> AsyncIterator[MeshSetup]:
    """Run a mesh's Envoy and the backends. ``mesh``: patch or policy.

    ``chat``, ``onprem``: additional settings; ``rtds``: address of the scorers, by default one that does not answer.
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
        text = {
            "backends": {
                "cloud": {"url": cloud.url, "model": "cloud-model"},
                "onprem": {"url": candidate.url, "model": "onprem-model", **(onprem or {})},
            },
            "workloads": {"chat": {**CHAT, **(chat or {})}},
        }
        config = mesh_config(text, shadow, socket, rtds)
        xds = gateway_xds(config, "patch" if mesh == "patch" else "policy", live, service.url)
        with running_mesh(xds, config, folder, f"127.0.0.1:{live}", f"127.0.0.1:{admin}") as envoy:
            yield MeshSetup(EnvoySetup(cloud, candidate, collector, envoy, session), service)
