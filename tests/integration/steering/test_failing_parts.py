"""A candidate that fails at the same moment as a part of Glidepath, with a real Envoy and a real Redis.

Half of 50 requests/s go to the candidate, without fallback. See bench/failing_parts.py.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from bench.failing_backend import Failure
from bench.failing_parts import LIMIT, WELL_S, Part, measure, running_system
from glidepath import runtime_keys
from glidepath.redis_keys import ARRIVED_ENTRIES
from glidepath.status_and_decisions import CommandKind, Decision
from scorer.steering.leader.count_unseen_log_entries import STATS, produced_entries
from tests.support.waiting import eventually

AFTER_S = 1.0  # seconds after the rollback, in which a client gets no further error


@pytest.mark.parametrize(
    ("part", "failure"),
    [
        (Part.EXTPROC_KILLED, Failure.BREAKS),
        (Part.EXTPROC_FROZEN, Failure.ERRORS),
        (Part.REDIS_FULL, Failure.REFUSES),
        (Part.REDIS_REFUSES, Failure.BREAKS),
        (Part.REDIS_KILLED, Failure.ERRORS),
        (Part.LEADER_KILLED, Failure.REFUSES),
    ],
)
async def test_clients_get_at_most_forty_errors(part: Part, failure: Failure, tmp_path: Path) -> None:
    for attempt in ("first", "second"):  # a busy machine may delay every process by a second, and so the rollback
        folder = tmp_path / attempt
        folder.mkdir()
        row = await measure(part, failure, folder, AFTER_S)
        if row.errors <= LIMIT:
            break
    assert row.back_s is not None
    assert row.errors <= LIMIT


async def test_a_retreat_sent_while_redis_was_frozen_is_stored_logged_and_kept(tmp_path: Path) -> None:
    async with running_system(tmp_path) as system:
        await system.serve_the_share()
        await system.load(WELL_S)
        row = await system.fail(Part.REDIS_FROZEN, Failure.BREAKS, AFTER_S)
        assert row.errors <= LIMIT
        value = (await system.runtime())[runtime_keys.retreat_key("chat")]
        assert "counter_guard" in value
        system.signal("redis", signal.SIGCONT)

        async def rolled_back() -> list[Decision]:
            return [one for one in await system.decisions() if one.event == "rollback_confirmed"]

        await eventually(rolled_back)
        (decision,) = [one for one in await system.decisions() if one.event == "rollback"]
        assert (decision.trigger, decision.from_percent, decision.to_percent) == ("retreat", 50, 0)
        assert "counter_guard" in decision.reason
        assert await system.share() == 0

        async def the_key_is_removed() -> bool:
            return runtime_keys.retreat_key("chat") not in await system.runtime()

        await eventually(the_key_is_removed)


async def test_another_leader_that_reads_the_older_state_adopts_a_retreat(tmp_path: Path) -> None:
    async with running_system(tmp_path) as system:
        await system.serve_the_share()
        await system.load(WELL_S)
        await system.fail(Part.REDIS_FROZEN, Failure.ERRORS, AFTER_S)
        system.scorers[0].kill()
        system.signal("redis", signal.SIGCONT)
        await system.start_scorer()

        async def adopted() -> bool:
            status = await system.status()
            return status is not None and status.leader == "scorer-1" and status.phase == "cooling_down"

        await eventually(adopted)
        (decision,) = [one for one in await system.decisions() if one.event == "rollback"]
        assert decision.trigger == "retreat"
        assert await system.share() == 0


async def test_blindness_is_shown_and_blocks_steps_until_it_ends(tmp_path: Path) -> None:
    async with running_system(tmp_path) as system:
        await system.serve_the_share()
        await system.load(WELL_S)
        extproc = system.stack.children["extproc"]
        os.killpg(os.getpgid(extproc.pid), signal.SIGSTOP)
        await system.load(5)
        status = await system.status()
        assert status is not None
        assert status.blind_envoys == system.config.envoy.admin
        assert "blind: no outcome of 1 of 1 Envoy" in status.message
        assert "no failing candidate" in status.counter_guard
        (blind,) = [one for one in await system.decisions() if one.event == "blind"]
        assert blind.to_percent == 50
        os.killpg(os.getpgid(extproc.pid), signal.SIGCONT)
        await system.load(2)

        async def sees_again() -> bool:
            status = await system.status()
            return (
                status is not None and not status.blind and "sees_again" in [d.event for d in await system.decisions()]
            )

        await eventually(sees_again)


async def test_an_envoy_without_requests_is_idle_and_not_blind(tmp_path: Path) -> None:
    async with running_system(tmp_path) as system:
        await system.serve_the_share()
        await system.load(1)
        since: dict[int, float] = {}  # the number of entries in Envoy → when it was first seen

        async def all_entries_have_arrived() -> bool:
            """Return whether Redis has all entries that Envoy logged, and Envoy has logged none for 2 s."""
            async with system.http.get(f"{system.config.envoy.admin[0]}{STATS}") as answer:
                logged = produced_entries(await answer.read())
            arrived = await system.redis.hgetall(ARRIVED_ENTRIES)
            unchanged = time.monotonic() - since.setdefault(logged, time.monotonic())
            return logged == sum(map(int, arrived.values())) > 0 and unchanged > 2

        await eventually(all_entries_have_arrived)
        os.killpg(os.getpgid(system.stack.children["extproc"].pid), signal.SIGSTOP)
        before = await system.status()
        assert before is not None

        async def five_seconds_later() -> bool:
            status = await system.status()
            assert status is not None
            assert not status.blind
            return status.updated_at_ms > before.updated_at_ms + 5_000

        await eventually(five_seconds_later)
        await system.order(CommandKind.HOLD)
