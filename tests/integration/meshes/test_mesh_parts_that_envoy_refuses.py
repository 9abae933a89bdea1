"""A mesh's Envoy that refuses a part of its rendered configuration, as an Envoy built without an extension does.

For each part, on Istio and on Envoy Gateway: clients of the user's own route see no error, no copy can be sent, so no
step happens, and doctor fails.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import aiohttp
import pytest

from glidepath import envoy_names
from glidepath.config import Config
from glidepath_ops.doctor.checks import examine_envoy
from glidepath_ops.doctor.facts import Severity
from glidepath_ops.doctor.gather_facts import gather_envoy
from glidepath_ops.local.child_process import free_ports
from tests.integration.envoy.test_parts_that_envoy_refuses import PARTS
from tests.support.envoy_collector import Collector
from tests.support.envoy_with_backends import BODY, CHAT, PATH
from tests.support.meshes import gateway_with_backends, istio_with_backends
from tests.support.meshes.static_bootstrap import Xds, static_bootstrap
from tests.support.recording_backend import Recorder
from tests.support.waiting import eventually
from tests.support.xds_files import XdsFiles, envoy_on_files, made_unknown, with_routes_apart

Mesh = Literal["istio", "envoy-gateway"]
MESHES: tuple[Mesh, ...] = ("istio", "envoy-gateway")
HEADERS = {
    "istio": {"host": istio_with_backends.LLM},
    "envoy-gateway": {"x-team": "search"},  # the user's SecurityPolicy wants it
}
# A workload that is not sticky by a header, so that its requests are read: the reading is among the parts.
WORKLOAD = {**CHAT, "sticky": None}


@dataclass(frozen=True, slots=True)
class MeshEnvoy:
    """A mesh's Envoy, which has got only the user's resources from the control plane.

    ``after``: the resources with Glidepath's parts, which ``push`` sends.
    """

    mesh: Mesh
    config: Config
    own: Recorder
    onprem: Recorder
    collector: Collector
    http: aiohttp.ClientSession
    files: XdsFiles
    after: Xds
    live: str
    admin: str

    async def push(self, unknown: str) -> None:
        """Push Glidepath's resources, of which one type is unknown, in the order of control planes."""
        before = await self._updates()
        parts = {
            kind: made_unknown(value, unknown)
            for kind, value in static_bootstrap(self.after, self.admin)["static_resources"].items()
        }
        live, *others = parts["listeners"]
        live, table = with_routes_apart(live, self.files)
        self.files.write("cds", parts["clusters"])

        async def read() -> bool:
            return await self._updates() > before

        await eventually(read)
        self.files.write("rds", [table])
        self.files.write("lds", [live, *others])

    async def _updates(self) -> int:
        return (await gather_envoy(f"http://{self.admin}")).stats.get("cluster_manager.cds.update_attempt", 0)

    async def post(self, to: str = "", **headers: str) -> int:
        async with self.http.post(
            f"http://{to or self.live}{PATH}", json=BODY, headers={**HEADERS[self.mesh], **headers}
        ) as answer:
            return answer.status

    async def failed_checks(self) -> set[str]:
        found = examine_envoy(self.config, await gather_envoy(f"http://{self.admin}"))
        return {one.check for one in found if one.level is Severity.FAIL}

    def refused(self) -> bool:
        log = (self.files.folder / "envoy.log").read_text()
        return "rejected" in log


def pushed(mesh: Mesh, folder: Path, shadow: int, port: int, own: str, onprem: str) -> tuple[Config, Xds, Xds]:
    """Return the configuration, and the resources that the control plane pushes without and with Glidepath's."""
    backends = {"onprem": {"url": onprem, "model": "onprem-model"}}
    socket = folder / "extproc.sock"
    if mesh == "istio":
        text = {"backends": backends, "workloads": {"chat": WORKLOAD}}
        config = istio_with_backends.istio_config(text, shadow, socket)
        make = istio_with_backends.istio_xds
        return config, *(make(config, "gateway", port, own, own, split=split) for split in (False, True))
    cloud = {"cluster": gateway_with_backends.BASELINE, "host": "models.example.com"}
    text = {"backends": {"cloud": cloud, **backends}, "workloads": {"chat": WORKLOAD}}
    config = gateway_with_backends.mesh_config(text, shadow, socket)
    theirs = {"models": own, "service": own, "glidepath-cloud": own}
    found = (
        gateway_with_backends.gateway_xds(config, port, theirs, patched=patched, tls_chain=True)
        for patched in (False, True)
    )
    return config, *found


@asynccontextmanager
async def mesh_envoy(mesh: Mesh, folder: Path) -> AsyncIterator[MeshEnvoy]:
    port, admin, shadow = free_ports(3)
    async with (
        Recorder("own") as own,
        Recorder("onprem") as onprem,
        Collector(folder / "extproc.sock") as collector,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as http,
    ):
        config, before, after = pushed(mesh, folder, shadow, port, own.url, onprem.url)
        files, admin_at = XdsFiles(folder), f"127.0.0.1:{admin}"
        start = static_bootstrap(before, admin_at)
        live, table = with_routes_apart(start["static_resources"]["listeners"][0], files)
        files.write("cds", start["static_resources"]["clusters"])
        files.write("rds", [table])
        files.write("lds", [live])
        bootstrap = static_bootstrap(Xds(after.bootstrap, [], [], []), admin_at)
        static = {"clusters": [one for one in bootstrap["static_resources"]["clusters"] if one["type"] != "EDS"]}
        with envoy_on_files(bootstrap, files, f"http://{admin_at}", static):
            yield MeshEnvoy(mesh, config, own, onprem, collector, http, files, after, f"127.0.0.1:{port}", admin_at)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("mesh", MESHES)
async def test_a_refused_part_costs_no_client_an_error_and_lets_no_step_happen(
    tmp_path: Path, mesh: Mesh, part: str
) -> None:
    async with mesh_envoy(mesh, tmp_path) as envoy:
        await eventually(lambda: served(envoy))
        await envoy.push(PARTS[part])
        await eventually(envoy.refused)
        assert {await envoy.post() for _ in range(20)} == {200}
        copy = {envoy_names.HEADER_WORKLOAD: "chat", envoy_names.HEADER_TARGET: "onprem"}
        with pytest.raises(aiohttp.ClientConnectionError):
            await envoy.post(envoy.config.envoy.shadow_listen, **copy)
        assert envoy.onprem.received == []
        assert "listeners" in await envoy.failed_checks()
        assert {await envoy.post() for _ in range(20)} == {200}


async def served(envoy: MeshEnvoy) -> bool:
    return await envoy.post() == 200


@pytest.mark.parametrize("mesh", MESHES)
async def test_if_no_part_is_refused_doctor_finds_no_fault_and_requests_are_captured(
    tmp_path: Path, mesh: Mesh
) -> None:
    async with mesh_envoy(mesh, tmp_path) as envoy:
        await eventually(lambda: served(envoy))
        await envoy.push("nothing")

        async def captured() -> bool:
            assert await envoy.post() == 200
            return bool(envoy.collector.streams)

        await eventually(captured)
        assert json.loads(envoy.own.last.body)["model"] == "client-model"
        assert await envoy.failed_checks() <= {"runtime layer"}
