"""Probes through a real Envoy, by command and on a schedule: scored like any pair, but not counted as clients."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from glidepath.config import Config
from glidepath.served_digest import served_digest
from glidepath.sides import Origin
from glidepath_ops.local.services import config_file
from tests.support.recording_backend import Recorder
from tests.support.running_system import System, running_system, system_config
from tests.support.waiting import eventually


@dataclass(slots=True)
class Probing:
    system: System
    cloud: Recorder
    onprem: Recorder

    async def cli(self, *arguments: str) -> tuple[int, list[Any], str]:
        command = [sys.executable, "-m", "glidepath_ops", "probe", *arguments, "--json"]
        command += ["-c", str(config_file(self.system.folder))]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def config_with_probes(folder: Path, cloud: Recorder, onprem: Recorder) -> Config:
    # The time limit of the probes, too: on a busy machine, a good answer may take seconds.
    shadow = {"sample": 100, "same_side": 0, "timeout": "60s"}
    data = system_config(folder, cloud.url, onprem.url, shadow=shadow).model_dump(mode="json", exclude_unset=True)
    secret = folder / "cloud.key"
    secret.write_text("cloud-secret\n")
    data["backends"]["cloud"]["credential"] = {"file": str(secret)}
    data["workloads"]["chat"]["probes"] = {"prompts": ["Who?", "What?"], "every": "1s", "count": 1}
    return Config.model_validate(data)


@pytest.fixture
async def probing(tmp_path: Path) -> AsyncIterator[Probing]:
    async with (
        Recorder("same") as cloud,
        Recorder("same") as onprem,
        running_system(config_with_probes(tmp_path, cloud, onprem), tmp_path) as system,
    ):
        yield Probing(system, cloud, onprem)


async def test_a_probe_is_scored_like_any_pair_and_each_side_gets_its_own_credential(probing: Probing) -> None:
    status, lines, error = await probing.cli("chat", "--wait", "40s", "--answers")
    assert status == 0, error
    assert [line["prompt"] for line in lines] == ["Who?", "What?"]
    assert all(line["answers"]["baseline"] == line["answers"]["candidate"] != "" for line in lines)
    assert [(line["probe"], line["agreement"]) for line in lines] == [("Who?", 1.0), ("What?", 1.0)]
    assert {line[side]["status"] for line in lines for side in ("baseline", "candidate")} == {200}
    assert {r.headers["authorization"] for r in probing.cloud.received} == {"Bearer cloud-secret"}
    assert all("authorization" not in r.headers for r in probing.onprem.received)
    assert {r.model for r in probing.cloud.received} == {"m-cloud"}
    assert not any(name.startswith("x-glidepath") for r in probing.cloud.received for name in r.headers)
    results = await probing.system.results()
    assert {one.baseline.origin for one in results} == {Origin.PROBE}
    assert {one.served for one in results} == {served_digest(probing.system.config, "chat")}


async def test_a_scheduled_probe_reports_that_the_baseline_fails_and_later_that_it_recovered(probing: Probing) -> None:
    await eventually(lambda: _results(probing.system, 2))
    probing.cloud.behaviour = "status"
    await eventually(lambda: _logged(probing.system, "probe_failed"))
    decision = next(d for d in await probing.system.decisions() if d.event == "probe_failed")
    assert decision.reason == "synthetic probes fail: baseline cloud: status 503"
    status, lines, _ = await probing.cli("chat", "--wait", "1s")
    assert (status, lines[0]["baseline"]["error"], lines[0]["agreement"]) == (1, "status 503", None)
    probing.cloud.behaviour = "json"
    await eventually(lambda: _logged(probing.system, "probe_recovered"))
    sides = [side for flush in await probing.system.outcomes() for side in flush.sides]
    assert {side.origin for side in sides} == {Origin.PROBE}
    assert sum(side.requests for side in sides) > 0
    steering = await probing.system.status()
    assert steering is not None
    assert steering.candidate.requests == 0  # a step is never taken on probes alone


async def _results(system: System, count: int) -> bool:
    return len(await system.results()) >= count


async def _logged(system: System, event: str) -> bool:
    return any(decision.event == event for decision in await system.decisions())
