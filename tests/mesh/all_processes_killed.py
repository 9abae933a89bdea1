"""All processes of Glidepath are killed, and the candidate fails in one way after another: the errors of clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.mesh.leased_split import GRACE_S, LEASED, LOST_AFTER_S, leased_share
from tests.mesh.mesh_under_test import Parts
from tests.mesh.traffic import Caller, Seen, backends, statuses
from tests.support.waiting import eventually

QUICK: dict[str, Any] = {"first_byte_timeout": "1s"}
HOLD: dict[str, Any] = {"shadow": {"sample": 0}}
DETECTED = {**QUICK, "outlier_detection": {}}  # five failures in a row
# Name → the candidate's settings, and the workload's. An ejected candidate comes back within 10 s.
ARMS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "if_lost: hold": (QUICK, HOLD),
    "if_lost: hold, outlier detection": (DETECTED, HOLD),
    "if_lost: baseline": (QUICK, LEASED),
    "if_lost: baseline, outlier detection": (DETECTED, LEASED),
}
# Each way in which the candidate fails, the status that it answers, and whether Envoy can ask the baseline instead: not
# once the headers of the answer are sent. The last way is for good.
FAILURES: dict[str, tuple[str, int, bool]] = {
    "answers 503": ("status", 503, True),
    "answers 429": ("status", 429, True),
    "resets before its headers": ("reset", 0, True),
    "sends no first byte": ("hang", 0, True),
    "breaks off after its headers": ("die_in_stream", 0, False),
    "refuses connections": ("gone", 0, True),
}
RATE, AFTER = 20, 100  # requests a second; requests after the return to the baseline


async def check_clients(among: Parts, caller: Caller, arm: str) -> list[str]:
    """Let the candidate fail in each way while no process of Glidepath runs. Return a line of figures for each.

    Requests that Envoy can rescue cause no error. If the split has a lease, no request fails after the lease has ended.
    """
    await among.collector.__aexit__()  # extproc
    return [await _check(among, caller, arm, failure) for failure in FAILURES]


async def _check(among: Parts, caller: Caller, arm: str, failure: str) -> str:
    behaviour, status, rescued = FAILURES[failure]
    among.onprem.behaviour = "json"
    async with half(among, arm):
        await eventually(lambda: both_serve(caller), within=30)
    if behaviour == "gone":
        await among.onprem.__aexit__()
    else:
        among.onprem.behaviour, among.onprem.status = behaviour, status  # type: ignore[assignment]
    asked = len(among.onprem.received)
    seen, last_s = await requests_of_clients(among, caller, LOST_AFTER_S + GRACE_S)
    errors = sum(1 for code, who in seen if code != 200 or not who)
    assert (errors == 0) if rescued else (errors > 0), (failure, errors)
    reached = len(among.onprem.received)
    after = await caller.ask(AFTER)
    if _leased(arm):
        assert (statuses(after), set(backends(after))) == ({200}, {"own"}), "the split has ended with its lease"
        assert len(among.onprem.received) == reached
    late = sum(count for (code, who), count in after.items() if code != 200 or not who)
    clients = f"{errors} of {len(seen)}, then {late} of {AFTER}"
    return f"{arm} | {failure} | {clients} | candidate asked {reached - asked} times, last after {last_s:.1f} s"


def _leased(arm: str) -> bool:
    return "baseline" in arm


@asynccontextmanager
async def half(among: Parts, arm: str) -> AsyncIterator[None]:
    """Give the candidate half of the requests. If ``arm`` has a lease, nothing renews it after the block."""
    if _leased(arm):
        async with leased_share(among.config, 50):
            yield
    else:
        await among.shares.set(50)
        yield


async def requests_of_clients(among: Parts, caller: Caller, seconds: float) -> tuple[list[tuple[int, str]], float]:
    """Send requests at a fixed rate.

    Return the answers, and the time in seconds of the last request to the candidate.
    """
    began, reached, last = time.monotonic(), len(among.onprem.received), 0.0
    tasks: list[asyncio.Task[Seen]] = []
    while time.monotonic() < began + seconds:
        tasks.append(asyncio.create_task(caller.ask()))
        await asyncio.sleep(1 / RATE)
        if len(among.onprem.received) > reached:
            reached, last = len(among.onprem.received), time.monotonic() - began
    return [one for task in tasks for one in (await task).elements()], last


async def both_serve(caller: Caller) -> bool:
    return set(backends(await caller.ask(20))) == {"own", "onprem"}
