"""Access log entries that Envoy loses while extproc is frozen or dead are counted and shown as unseen."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from glidepath import redis_keys
from glidepath.unseen_log_entries import UnseenRecord
from glidepath_ops.doctor.checks import examine_redis
from glidepath_ops.doctor.facts import Severity
from glidepath_ops.doctor.gather_facts import gather_redis
from tests.support.recording_backend import Recorder
from tests.support.running_system import START_S, System, running_system, system_config
from tests.support.waiting import eventually

REQUESTS = 60


async def asked(system: System, requests: int) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hello?"}]}
    for _ in range(requests):
        async with system.http.post(f"{system.url}/v1/chat/completions", json=body) as answer:
            assert answer.status == 200


async def record(system: System) -> UnseenRecord:
    raw = await system.redis.get(redis_keys.UNSEEN_ENTRIES)
    return UnseenRecord() if raw is None else UnseenRecord.from_json(raw)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_entries_lost_by_a_dead_or_frozen_extproc_are_counted(tmp_path: Path, number: signal.Signals) -> None:
    async with Recorder("cloud") as cloud, Recorder("onprem") as onprem:
        config = system_config(tmp_path, cloud.url, onprem.url, shadow={"sample": 0})
        async with running_system(config, tmp_path) as system:

            async def counting() -> bool:  # the entries before the first reading of Envoy's counters do not count
                now = await record(system)
                return now.at_ms > 0 and not now.silent

            await eventually(counting, within=START_S)
            await asked(system, REQUESTS)

            async def produced() -> bool:
                return (await record(system)).produced >= REQUESTS

            await eventually(produced, within=START_S)
            assert (await record(system)).unseen == 0

            extproc = system.child("extproc")
            os.killpg(os.getpgid(extproc.pid), number)
            await asked(system, REQUESTS)
            if number is signal.SIGKILL:
                await eventually(lambda: not extproc.alive)
                await system.restart("extproc")

            async def unseen() -> bool:
                return (await record(system)).unseen > 0

            await eventually(unseen, within=START_S)
            (found,) = [f for f in examine_redis(await gather_redis(config)) if f.check == "unseen log entries"]
            assert found.level is Severity.WARN
            assert "reached no extproc, the last at 20" in found.detail
            if number is signal.SIGSTOP:
                os.killpg(os.getpgid(extproc.pid), signal.SIGCONT)
