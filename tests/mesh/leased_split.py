"""A scorer's part of a leased split: it pushes weights by RTDS, and renews the split's lease until the block ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from glidepath.config import Config
from scorer.steering.envoy.rtds_actuator import RtdsActuator
from scorer.steering.envoy.rtds_leases import LeaseService
from scorer.steering.envoy.runtime_values import RuntimeKeys, desired_values
from tests.mesh.traffic import Caller, backends
from tests.support.waiting import eventually

LOST_AFTER_S, GRACE_S = 4, 2
LEASED = {"if_lost": "baseline", "lost_after": f"{LOST_AFTER_S}s", "shadow": {"sample": 0}}


@asynccontextmanager
async def leased_share(config: Config, percent: float) -> AsyncIterator[None]:
    """Give the candidate of ``chat`` this share at each Envoy that connects, and lease the split."""
    leases = LeaseService(config, lambda: True)
    actuator = RtdsActuator(config.envoy.rtds_listen, lambda: True, leases=leases)
    tasks = [asyncio.create_task(actuator.run()), asyncio.create_task(_steer(config, percent, actuator))]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _steer(config: Config, percent: float, actuator: RtdsActuator) -> None:
    values = RuntimeKeys.of(config, "chat").write(desired_values(percent, 0, autopilot=True))
    wanted = {key: value for key, value in values.items() if value}
    while True:
        actuator.renew_leases([])
        actuator.submit({name: values for name, seen in actuator.readings().items() if seen not in (None, wanted)})
        await asyncio.sleep(0.2)


async def check_the_lease(config: Config, caller: Caller) -> None:
    """Check that the user's own route serves all requests before the split has a lease, and after its end."""

    async def served_by(*wanted: str) -> bool:
        return set(backends(await caller.ask(10))) == set(wanted)

    assert await served_by("own")
    async with leased_share(config, 100):
        await eventually(lambda: served_by("onprem"), within=30)
    await eventually(lambda: served_by("own"), within=LOST_AFTER_S + GRACE_S)
    assert set(backends(await caller.ask(50))) == {"own"}
