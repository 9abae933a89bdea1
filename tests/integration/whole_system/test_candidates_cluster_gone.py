"""The candidate's cluster vanishes from Envoy at 50 %: its requests get Envoy's errors, and its share is taken back."""

from __future__ import annotations

from pathlib import Path

from glidepath.status_and_decisions import CommandKind, Decision
from glidepath_ops.envoyconfig.bootstrap import render_bootstrap
from tests.support.recording_backend import Recorder
from tests.support.running_system import START_S, System, running_system, system_config
from tests.support.waiting import eventually
from tests.support.xds_files import XdsFiles, envoy_on_files, with_routes_apart

RAMP = {"steps": [50, 100], "shadow_hold": "1h", "hold": "1h", "min_samples": 2}
GATES = {"sameness": None, "latency": []}  # the answers of the two recorders differ


async def post(system: System) -> int:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hello?"}]}
    async with system.http.post(f"{system.url}/v1/chat/completions", json=body) as answer:
        return answer.status


async def rollbacks(system: System) -> list[Decision]:
    return [decision for decision in await system.decisions() if decision.event == "rollback"]


async def test_the_share_is_taken_back_when_the_candidates_cluster_is_gone(tmp_path: Path) -> None:
    async with Recorder("cloud") as cloud, Recorder("onprem") as onprem:
        config = system_config(tmp_path, cloud.url, onprem.url, ramp=RAMP, gates=GATES)
        files = XdsFiles(tmp_path)
        rendered = render_bootstrap(config)
        parts = rendered["static_resources"]
        live, table = with_routes_apart(parts["listeners"][0], files)
        files.write("rds", [table])
        files.write("cds", parts["clusters"])
        files.write("lds", [live, parts["listeners"][1]])
        with envoy_on_files(rendered, files, config.envoy.admin[0]):
            async with running_system(config, tmp_path, envoy=False) as system:

                async def steered() -> bool:
                    status = await system.status()
                    return status is not None and status.confirmed > 0

                async def at_50() -> bool:
                    return (await system.weights())["onprem-or-cloud"] == 5000

                await eventually(steered, within=START_S)
                await system.order(CommandKind.PROMOTE, force=True)
                await eventually(at_50)
                statuses = [await post(system) for _ in range(20)]
                assert set(statuses) == {200}

                files.write("cds", [c for c in parts["clusters"] if c["name"] != "onprem-or-cloud"])
                failed = 0

                async def taken_back() -> bool:
                    nonlocal failed
                    failed += await post(system) == 503
                    return (await system.weights())["onprem-or-cloud"] == 0

                await eventually(taken_back, within=START_S)
                assert failed > 0
                (decision,) = await rollbacks(system)
                assert (decision.from_percent, decision.to_percent) == (50, 0)
                assert any(words in decision.reason for words in ("candidate", "error rate"))
                statuses = [await post(system) for _ in range(20)]
                assert set(statuses) == {200}
