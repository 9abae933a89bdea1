"""A scorer restarts with another model in its file. Requests that Envoy sends to the old model are not evidence."""

from __future__ import annotations

from pathlib import Path

from glidepath.config import Config
from glidepath.status_and_decisions import WorkloadStatus
from glidepath_ops.doctor.checks import examine_envoy
from glidepath_ops.doctor.facts import Severity
from glidepath_ops.doctor.gather_facts import gather_envoy
from glidepath_ops.envoyconfig.bootstrap import render_bootstrap
from glidepath_ops.envoyconfig.commented_yaml import to_yaml
from glidepath_ops.local.child_process import Child
from glidepath_ops.local.redis_and_envoy import start_envoy
from tests.support.recording_backend import Recorder
from tests.support.running_system import START_S, System, running_system, system_config
from tests.support.waiting import eventually

REQUESTS = 20


def envoy_of(config: Config, folder: Path) -> Child:
    bootstrap = folder / "bootstrap.yaml"
    bootstrap.write_text(to_yaml(render_bootstrap(config)))
    return start_envoy(bootstrap, config.envoy.admin[0], folder / "envoy.log", concurrency=1)


async def configuration_check(config: Config) -> Severity:
    facts = await gather_envoy(config.envoy.admin[0])
    (found,) = [f for f in examine_envoy(config, facts) if f.check == "chat: configuration"]
    assert (found.level is Severity.OK) or "render" in found.remedy
    return found.level


async def asked(system: System) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hello?"}]}
    for _ in range(REQUESTS):
        async with system.http.post(f"{system.url}/v1/chat/completions", json=body) as answer:
            assert answer.status == 200


async def status(system: System) -> WorkloadStatus:
    found = await system.status()
    assert found is not None
    return found


async def test_a_scorer_refuses_evidence_of_an_envoy_that_serves_another_model(tmp_path: Path) -> None:
    async with Recorder("cloud") as cloud, Recorder("onprem") as onprem:
        config = system_config(tmp_path, cloud.url, onprem.url)
        renamed = config.backends["onprem"].model_copy(update={"model": "another"})
        old = config.model_copy(update={"backends": {**config.backends, "onprem": renamed}})
        with envoy_of(old, tmp_path):
            async with running_system(config, tmp_path, envoy=False) as system:

                async def steered() -> bool:
                    seen = await system.status()
                    return seen is not None and seen.confirmed > 0

                await eventually(steered, within=START_S)
                await asked(system)

                async def refused() -> bool:
                    return (await status(system)).other_configuration >= 3 * REQUESTS

                await eventually(refused, within=START_S, what="refused: live requests, copies and pairs")
                seen = await status(system)
                assert (seen.candidate.requests, seen.baseline.requests, seen.agreement) == (0, 0, None)
                assert "serves another configuration of chat" in seen.message
                assert "other_configuration" in [decision.event for decision in await system.decisions()]
                assert await configuration_check(config) is Severity.FAIL

    async with Recorder("cloud") as cloud, Recorder("onprem") as onprem:
        folder = tmp_path / "reloaded"
        folder.mkdir()
        config = system_config(folder, cloud.url, onprem.url)
        with envoy_of(config, folder):
            async with running_system(config, folder, envoy=False) as system:
                await eventually(steered, within=START_S)

                async def accepted() -> bool:
                    await asked(system)  # again, because the step's evidence may begin after the first requests
                    seen = await status(system)
                    return seen.candidate.requests >= REQUESTS and seen.agreement is not None

                await eventually(accepted, within=START_S)
                assert (await status(system)).other_configuration == 0
                assert await configuration_check(config) is Severity.OK
