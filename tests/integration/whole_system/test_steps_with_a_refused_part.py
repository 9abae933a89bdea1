"""A whole Glidepath at an Envoy that refuses the aggregate cluster: the share stays at 0 until the part is there."""

from __future__ import annotations

from pathlib import Path

from glidepath.sides import Origin, Side
from glidepath_ops.envoyconfig.bootstrap import render_bootstrap
from tests.support.recording_backend import Recorder
from tests.support.running_system import START_S, System, running_system, system_config
from tests.support.waiting import eventually
from tests.support.xds_files import API, XdsFiles, envoy_on_files, made_unknown, with_routes_apart

AGGREGATE = API + "extensions.clusters.aggregate.v3.ClusterConfig"
RAMP = {"steps": [50, 100], "shadow_hold": "100ms", "hold": "1h", "min_samples": 2}
GATES = {"sameness": {"min_agreement": 0.01}, "errors": {"max_increase": "90%"}, "latency": []}


async def outcomes(system: System, side: Side, origin: Origin) -> int:
    """Return the number of requests that extproc has counted for one side."""
    return sum(
        one.requests
        for flush in await system.outcomes()
        for one in flush.sides
        if (one.side, one.origin) == (side, origin)
    )


async def post(system: System) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hello?"}]}
    async with system.http.post(f"{system.url}/v1/chat/completions", json=body) as answer:
        assert answer.status == 200


async def test_the_share_stays_at_0_while_envoy_refuses_a_part_of_the_split(tmp_path: Path) -> None:
    async with Recorder("cloud") as cloud, Recorder("onprem") as onprem:
        config = system_config(tmp_path, cloud.url, onprem.url, ramp=RAMP, gates=GATES)
        files = XdsFiles(tmp_path)
        rendered = render_bootstrap(config)
        parts = rendered["static_resources"]
        live, table = with_routes_apart(parts["listeners"][0], files)
        listeners = [live, parts["listeners"][1]]
        files.write("rds", [table])
        files.write("cds", made_unknown(parts["clusters"], AGGREGATE))
        files.write("lds", listeners)
        with envoy_on_files(rendered, files, config.envoy.admin[0]):
            async with running_system(config, tmp_path, envoy=False) as system:

                async def steered() -> bool:
                    status = await system.status()
                    return status is not None and status.confirmed > 0

                await eventually(steered, within=START_S)
                for _ in range(200):
                    await post(system)

                async def captured() -> bool:
                    return (await system.coverage()).get("captured", 0) >= 200

                await eventually(captured)
                await eventually(steered)
                assert await outcomes(system, Side.CANDIDATE, Origin.SHADOW) == 0
                assert (await system.weights())["onprem-or-cloud"] == 0
                assert onprem.received == []

                files.write("cds", parts["clusters"])

                async def accepted() -> bool:
                    async with system.http.get(f"{system.admin}/clusters") as answer:
                        return "\nonprem-or-cloud::" in await answer.text()

                await eventually(accepted)
                files.write("lds", listeners)

                async def stepped() -> bool:
                    await post(system)
                    return (await system.weights())["onprem-or-cloud"] > 0

                await eventually(stepped, within=START_S)
