"""An Envoy that refuses a part of the configuration, as an Envoy built without an extension does.

For each part: clients of the user's own route see no error, no copy can be sent, and doctor fails.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from glidepath import envoy_names
from glidepath.config import Config
from glidepath_ops.doctor.checks import examine_envoy
from glidepath_ops.doctor.facts import Finding, Severity
from glidepath_ops.doctor.gather_facts import gather_envoy
from glidepath_ops.envoyconfig.bootstrap import render_bootstrap
from glidepath_ops.envoyconfig.envoy_api_builders import assignment, socket_address
from tests.support.envoy_collector import Collector
from tests.support.envoy_with_backends import BODY, CHAT, PATH
from tests.support.recording_backend import Recorder
from tests.support.running_envoy import with_ports
from tests.support.waiting import eventually
from tests.support.xds_files import API, XdsFiles, envoy_on_files, made_unknown, with_routes_apart

FILTER = API + "extensions.filters.http."
PARTS = {
    "aggregate cluster": API + "extensions.clusters.aggregate.v3.ClusterConfig",
    "retry priority": API + "extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
    "lua": FILTER + "lua.v3.Lua",
    "header mutation": FILTER + "header_mutation.v3.HeaderMutation",
    "composite": FILTER + "composite.v3.Composite",
    "composite action": FILTER + "composite.v3.ExecuteFilterAction",
    "filter with matcher": API + "extensions.common.matching.v3.ExtensionWithMatcher",
    "set filter state": FILTER + "set_filter_state.v3.Config",
    "ext_proc": FILTER + "ext_proc.v3.ExternalProcessor",
    "access log": API + "extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig",
}


@dataclass(frozen=True, slots=True)
class RefusingEnvoy:
    """An Envoy with the user's own configuration.

    Glidepath's configuration can be applied to it, as by a control plane.
    """

    cloud: Recorder
    onprem: Recorder
    collector: Collector
    http: aiohttp.ClientSession
    config: Config
    files: XdsFiles
    rendered: dict[str, Any]
    admin: str

    async def apply(self, unknown: str, routes: str) -> None:
        """Apply Glidepath's resources, of which one type is unknown. ``routes``: "inline" or "rds"."""
        before = await self.cluster_updates()
        parts = {kind: made_unknown(value, unknown) for kind, value in self.rendered["static_resources"].items()}
        live, shadow = parts["listeners"]
        if routes == "rds":
            live, table = with_routes_apart(live, self.files)
            self.files.write("rds", [table])
        self.files.write("cds", parts["clusters"])

        async def read() -> bool:
            return await self.cluster_updates() > before

        await eventually(read)
        self.files.write("lds", [live, shadow])

    async def cluster_updates(self) -> int:
        return (await gather_envoy(self.admin)).stats.get("cluster_manager.cds.update_attempt", 0)

    async def post(self, to: str = "", **headers: str) -> int:
        """Return the status of a request to the live listener, or to the one at ``to``."""
        url = f"http://{to or self.config.envoy.listen}{PATH}"
        async with self.http.post(url, json=BODY, headers=headers) as answer:
            return answer.status

    async def findings(self) -> list[Finding]:
        return examine_envoy(self.config, await gather_envoy(self.admin))

    def refused(self) -> bool:
        """Return whether Envoy has refused a resource, according to its log."""
        log = (self.files.folder / "envoy.log").read_text()
        return "config update rejected" in log


def users_listener(rendered: dict[str, Any]) -> dict[str, Any]:
    """Return the live listener without Glidepath: one route to the user's cluster, and only the router filter."""
    listener: dict[str, Any] = json.loads(json.dumps(rendered["static_resources"]["listeners"][0]))
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    for key in ("access_log", "early_header_mutation_extensions"):
        del manager[key]
    manager["http_filters"] = manager["http_filters"][-1:]
    (host,) = manager["route_config"]["virtual_hosts"]
    host["routes"] = [{"match": {"prefix": "/"}, "route": {"cluster": "theirs"}}]
    return listener


@asynccontextmanager
async def users_envoy(folder: Path, routes: str) -> AsyncIterator[RefusingEnvoy]:
    """Run an Envoy with the user's own route to the cluster ``theirs``, and without anything of Glidepath's."""
    async with (
        Recorder("cloud") as cloud,
        Recorder("onprem") as onprem,
        Collector(folder / "extproc.sock") as collector,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as http,
    ):
        there = {"cluster": "theirs", "host": "theirs.example.com", "model": "cloud-model"}
        text = {
            "extproc": {"listen": f"unix:{folder}/extproc.sock"},
            "backends": {"cloud": there, "onprem": {"url": onprem.url, "model": "onprem-model"}},
            "workloads": {"chat": CHAT},
        }
        config, admin = with_ports(yaml.safe_dump(text))
        rendered = render_bootstrap(config, admin=admin)
        endpoints = assignment("theirs", [socket_address("127.0.0.1", cloud.port)])
        theirs = {"name": "theirs", "type": "STATIC", "connect_timeout": "1s", "load_assignment": endpoints}
        rendered["static_resources"]["clusters"].append(theirs)
        files = XdsFiles(folder)
        before = users_listener(rendered)
        if routes == "rds":
            before, table = with_routes_apart(before, files)
            files.write("rds", [table])
        files.write("cds", [theirs])
        files.write("lds", [before])
        with envoy_on_files(rendered, files, f"http://{admin}"):
            yield RefusingEnvoy(cloud, onprem, collector, http, config, files, rendered, f"http://{admin}")


@pytest.mark.parametrize("routes", ["inline", "rds"])
@pytest.mark.parametrize("part", PARTS)
async def test_a_refused_part_costs_no_client_an_error_and_lets_no_step_happen(
    tmp_path: Path, part: str, routes: str
) -> None:
    async with users_envoy(tmp_path, routes) as envoy:
        assert await envoy.post() == 200
        await envoy.apply(PARTS[part], routes)
        await eventually(envoy.refused)
        assert {await envoy.post() for _ in range(20)} == {200}
        assert len(envoy.cloud.received) == 21
        copy = {envoy_names.HEADER_WORKLOAD: "chat", envoy_names.HEADER_TARGET: "onprem"}
        with pytest.raises(aiohttp.ClientConnectionError):
            await envoy.post(envoy.config.envoy.shadow_listen, **copy)
        assert envoy.onprem.received == []
        failed = {one.check for one in await envoy.findings() if one.level is Severity.FAIL}
        assert "listeners" in failed
        assert {await envoy.post() for _ in range(20)} == {200}


@pytest.mark.parametrize("routes", ["inline", "rds"])
async def test_if_no_part_is_refused_doctor_finds_no_fault_and_copies_arrive(tmp_path: Path, routes: str) -> None:
    async with users_envoy(tmp_path, routes) as envoy:
        await envoy.apply("nothing", routes)

        async def copied() -> bool:
            copy = {envoy_names.HEADER_WORKLOAD: "chat", envoy_names.HEADER_TARGET: "onprem"}
            try:
                return await envoy.post(envoy.config.envoy.shadow_listen, **copy) == 200
            except aiohttp.ClientConnectionError:
                return False

        async def captured() -> bool:
            assert await envoy.post() == 200
            return bool(envoy.collector.streams)

        await eventually(copied)
        await eventually(captured)
        assert envoy.onprem.last.model == "onprem-model"
        assert not [one for one in await envoy.findings() if one.level is Severity.FAIL]
