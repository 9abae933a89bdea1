"""The candidate serves a busy user with long answers: the live latencies differ, although the sides are equal.

The gate compares the two copies of one request, passes, and names its basis.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
from aiohttp import web

from glidepath.status_and_decisions import CommandKind, Verdict
from tests.support.recording_backend import Recorder
from tests.support.running_system import START_S, System, running_system, system_config
from tests.support.waiting import eventually

GATES = {
    "sameness": None,
    "errors": None,
    "split": False,
    "latency": {"quantile": "p50", "max_ratio": 2.0, "min_samples": 20},
}
SECTIONS = {
    "sticky": {"header": "x-user-id"},
    "shadow": {"sample": 100, "same_side": 100, "timeout": "5s"},
    "ramp": {"steps": [50, 100], "shadow_hold": "1h", "hold": "1h", "min_samples": 2, "unjudged_limit": "100 %"},
    "gates": GATES,
}
USERS = [f"user-{n}" for n in range(20)]
QUICK_S, LONG_S = 0.04, 0.16  # less than three times the limit apart, so that live requests alone do not fail the gate
AT_ONCE = 4


class UnequalRecorder(Recorder):
    """A backend whose answers to one user's requests take longer."""

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(LONG_S if b"long" in await request.read() else QUICK_S)
        return await super()._handle(request)


async def ask(system: System, user: str, *, long: bool = False) -> str:
    """Send a request of ``user``, and return the name of the backend that answered."""
    body = {"model": "m", "messages": [{"role": "user", "content": "a long answer" if long else "Hello?"}]}
    async with system.http.post(
        f"{system.url}/v1/chat/completions", json=body, headers={"x-user-id": user}, timeout=aiohttp.ClientTimeout(20)
    ) as answer:
        found = await answer.json()
    return str(found["model"])


async def clients(system: System, busy: str, stop: asyncio.Event) -> None:
    """Send requests until ``stop`` is set: every second one is from the user ``busy`` and has a long answer."""
    turn = 0
    while not stop.is_set():
        turn += 1
        user = busy if turn % 2 else USERS[turn // 2 % len(USERS)]
        await ask(system, user, long=user == busy)


async def test_a_busy_user_with_long_answers_does_not_fail_an_equal_candidate(tmp_path: Path) -> None:
    stop = asyncio.Event()
    async with UnequalRecorder("cloud") as cloud, UnequalRecorder("onprem") as onprem:
        config = system_config(tmp_path, cloud.url, onprem.url, **SECTIONS)
        async with running_system(config, tmp_path) as system, asyncio.TaskGroup() as tasks:

            async def steered() -> bool:
                status = await system.status()
                return status is not None and status.confirmed > 0

            async def half() -> bool:
                return (await system.weights())["onprem-or-cloud"] == 5000

            async def latency() -> Verdict | None:
                status = await system.status()
                found = status.verdicts if status is not None and status.percent == 50 else ()
                return next((v for v in found if v.gate == "latency_p50"), None)

            async def decided() -> bool:
                verdict = await latency()
                return verdict is not None and verdict.outcome != "inconclusive"

            await eventually(steered, within=START_S)
            await system.order(CommandKind.PROMOTE, force=True)
            await eventually(half)
            sides = {user: await ask(system, user) for user in USERS}
            busy = next(user for user, side in sides.items() if side == "onprem")
            senders = [tasks.create_task(clients(system, busy, stop)) for _ in range(AT_ONCE)]
            try:
                await eventually(decided, within=90)
            finally:
                stop.set()
            await asyncio.gather(*senders)
            verdict, status = await latency(), await system.status()
            assert verdict is not None
            assert status is not None
            assert (verdict.outcome, verdict.basis) == ("pass", "pairs")
            assert "of both sides' copies of" in verdict.message
            assert status.candidate.p50_ms is not None
            assert status.baseline.p50_ms is not None
            assert status.candidate.p50_ms > 2 * status.baseline.p50_ms  # live requests alone exceed the limit
            assert [d.event for d in await system.decisions() if d.event == "rollback"] == []
