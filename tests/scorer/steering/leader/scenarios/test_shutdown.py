"""The steer loop ends when it is stopped, even if a client library loses a cancellation."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from glidepath.config import parse_config
from scorer.steering.envoy.actuator import MemoryActuator
from scorer.steering.envoy.admin_interface import AdminInterface
from scorer.steering.leader.steer_loop import SteerLoop
from scorer.steering.leader.steer_metrics import SteerMetrics
from tests.support.empty_steering_store import EmptySteeringStore
from tests.support.lost_cancellation import SwallowsCancellation as LostCall
from tests.support.lost_cancellation import ends_after_a_lost_cancellation
from tests.support.scripted_evidence import ScriptedEvidenceKind


class SwallowsCancellation:
    """A leader's lease whose renewal swallows its cancellation, as redis-py's client may."""

    owner, duration, fence = "me", 0.04, 1

    def __init__(self) -> None:
        self.renewing = asyncio.Event()

    def held(self) -> bool:
        return True

    async def acquire(self) -> bool:
        return True

    async def renew(self) -> bool:
        self.renewing.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return True

    def drop(self) -> None: ...

    def next_try_s(self) -> float:
        return self.duration / 4

    async def release(self) -> None: ...


async def test_a_renewal_that_swallows_its_cancellation_does_not_keep_the_loop_running(valid_yaml: str) -> None:
    config, lease, stop = parse_config(valid_yaml), SwallowsCancellation(), asyncio.Event()
    metrics = SteerMetrics(CollectorRegistry())
    loop = SteerLoop(config, EmptySteeringStore(), lease, lambda _: MemoryActuator(), ScriptedEvidenceKind(), metrics)  # type: ignore[arg-type]
    running = asyncio.create_task(loop.run(stop))
    async with asyncio.timeout(60):
        await lease.renewing.wait()
    stop.set()
    done, _ = await asyncio.wait({running}, timeout=60)
    assert done
    await running


class LosesCancellation(EmptySteeringStore):
    """A store whose reads of news, or of clocks, swallow a cancellation."""

    def __init__(self, lost_in: str) -> None:
        self.lost_in, self.call = lost_in, LostCall()

    async def news(self, *arguments: Any) -> Any:
        if self.lost_in == "news":
            await self.call()
        return await super().news(*arguments)

    async def clocks_ms(self, *arguments: Any) -> Any:
        if self.lost_in == "clocks_ms":
            await self.call()
        return await super().clocks_ms(*arguments)


class KeptLease(SwallowsCancellation):
    async def renew(self) -> bool:
        return True


@pytest.mark.parametrize("lost_in", ["news", "clocks_ms"])
async def test_a_cancelled_loop_whose_store_swallows_the_cancellation_ends(valid_yaml: str, lost_in: str) -> None:
    """As when a test fails, or another part of the scorer: nobody sets ``stop`` then."""
    config, store, lease = parse_config(valid_yaml), LosesCancellation(lost_in), KeptLease()
    metrics = SteerMetrics(CollectorRegistry())
    loop = SteerLoop(config, store, lease, lambda _: MemoryActuator(), ScriptedEvidenceKind(), metrics)  # type: ignore[arg-type]
    assert await ends_after_a_lost_cancellation(asyncio.create_task(loop.run(asyncio.Event())), store.call)


class UnreachableSession:
    """An HTTP session to an Envoy that does not answer."""

    def get(self, url: object) -> Any:
        raise OSError("away")

    def post(self, url: str, data: Any, headers: Any) -> Any:
        raise OSError("away")


@pytest.mark.parametrize("rounds", range(4))
async def test_a_wake_up_and_a_cancellation_at_once_end_the_task_of_an_admin_interface(rounds: int) -> None:
    interface = AdminInterface("envoy", UnreachableSession(), "http://envoy", lambda: True)  # type: ignore[arg-type]
    task = asyncio.create_task(interface.run())
    async with asyncio.timeout(60):
        await interface.read_once.wait()
    interface.submit({"glidepath.chat.autopilot": "0"})
    for _ in range(rounds):  # the cancellation arrives at different points of the wake-up
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=60)
    assert done
    assert task.cancelled()
