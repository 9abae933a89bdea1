"""The buffer in front of Redis: limited in size, counting every loss, writing again after an outage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from extproc.pair_encoding import EncodedPair, RawPair
from extproc.traffic_counters import TrafficCounters
from extproc.write_buffer import BufferLimits, WriteBuffer
from glidepath.outcome_summaries import Coverage, Outcomes, SideOutcomes
from glidepath.pairs import Answer, Pair, PairKind
from glidepath.sides import Origin, Side
from tests.support.in_memory_extproc import TwinEncoder, TwinWriter
from tests.support.waiting import eventually


def raw(number: int, size: int = 10, workload: str = "chat") -> RawPair:
    answer = Answer(Side.BASELINE, Origin.LIVE, "cloud", 200, body=b"x" * size)
    pair = Pair(f"id-{number}", workload, PairKind.CROSS, 0, "POST", "/", b"", answer, answer)
    return RawPair(pair)


def flush(requests: int, workload: str = "chat") -> Outcomes:
    sides = (SideOutcomes(Side.BASELINE, Origin.LIVE, requests=requests),)
    return Outcomes(workload, "", 0, 1, 2, sides, {"captured": requests})


@asynccontextmanager
async def running(
    writer: TwinWriter, limits: BufferLimits | None = None
) -> AsyncIterator[tuple[WriteBuffer, TrafficCounters]]:
    counters = TrafficCounters()
    buffer = WriteBuffer(writer, TwinEncoder(), counters, limits or BufferLimits(100, 10**6), "src")
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(buffer.run())
        yield buffer, counters
        task.cancel()


def ids(writer: TwinWriter) -> list[str]:
    return [encoded.data.decode() for encoded in writer.pairs]


async def test_pairs_and_outcomes_are_written_and_counted_when_stored() -> None:
    writer = TwinWriter()
    async with running(writer) as (buffer, counters):
        for n in range(150):
            buffer.put_pair(raw(n))
            await asyncio.sleep(0)
        buffer.put_outcomes([flush(3), flush(4, "mail")])
        await eventually(lambda: len(writer.pairs) == 150 and len(writer.outcomes) == 2)
        assert ids(writer) == [f"id-{n}" for n in range(150)]
        assert {(o.workload, o.source) for o in writer.outcomes} == {("chat", "src"), ("mail", "src")}
        assert counters.coverage_totals[("chat", "paired")] == 150
        assert buffer.fill == (0, 0)


async def test_pairs_that_arrive_together_are_written_in_one_batch() -> None:
    writer = TwinWriter()
    async with running(writer) as (buffer, _):
        await asyncio.sleep(0)  # the writer waits for work
        for n in range(20):
            buffer.put_pair(raw(n))
            await asyncio.sleep(0)
        await eventually(lambda: len(writer.pairs) == 20)
        assert writer.writes == 1


async def test_a_full_buffer_drops_the_oldest_and_counts_them() -> None:
    writer = TwinWriter(away=True)
    async with running(writer, BufferLimits(5, 10**6)) as (buffer, counters):
        for n in range(20):
            buffer.put_pair(raw(n))
        assert buffer.fill[0] == 5
        assert counters.coverage_totals[("chat", "lost_buffer")] == 15
        writer.away = False
        await eventually(lambda: len(writer.pairs) == 5)
        assert ids(writer) == [f"id-{n}" for n in range(15, 20)]


async def test_a_pair_whose_exchange_coverage_has_counted_is_written_and_not_counted_again() -> None:
    writer = TwinWriter(away=True)
    async with running(writer, BufferLimits(2, 10**6)) as (buffer, counters):
        for n in range(3):
            buffer.put_pair(replace(raw(n), counted=False))
        writer.away = False
        await eventually(lambda: len(writer.pairs) == 2 and buffer.fill[0] == 0)
        assert not counters.coverage_totals


async def test_the_buffer_is_limited_by_bytes_too() -> None:
    async with running(TwinWriter(away=True), BufferLimits(1000, 100_000)) as (buffer, counters):
        for n in range(50):
            buffer.put_pair(raw(n, size=20_000))
            assert buffer.fill[1] <= 100_000
        assert counters.coverage_totals[("chat", "lost_buffer")] >= 45


@pytest.mark.slow
async def test_during_an_outage_of_redis_outcomes_are_added_up_and_none_is_lost() -> None:
    writer = TwinWriter(away=True)
    async with running(writer) as (buffer, _):
        for turn in range(3):
            for _ in range(10):
                buffer.put_outcomes([flush(1)])
            await eventually(lambda: writer.writes > turn)  # noqa: B023 - awaited in this turn
        assert buffer.outage
        writer.away = False
        await eventually(lambda: not buffer.outage and sum(o.sides[0].requests for o in writer.outcomes) == 30)
        assert sum(o.coverage["captured"] for o in writer.outcomes) == 30
        assert len(writer.outcomes) <= 2


async def test_a_flush_that_may_have_arrived_is_repeated_under_its_number_and_counts_once() -> None:
    writer = TwinWriter(lose_acknowledgements=True)
    async with running(writer) as (buffer, _):
        buffer.put_outcomes([flush(3)])
        await eventually(lambda: writer.writes >= 2)
        buffer.put_outcomes([flush(4)])
        writer.lose_acknowledgements = False
        await eventually(lambda: len(writer.outcomes) == 2)
        assert [(o.seq, o.sides[0].requests) for o in writer.outcomes] == [(1, 3), (2, 4)]


async def test_pairs_that_redis_refuses_are_written_again() -> None:
    writer = TwinWriter(refuse=lambda encoded: encoded.data == b"id-1")
    async with running(writer) as (buffer, counters):
        for n in range(3):
            buffer.put_pair(raw(n))
        await eventually(lambda: len(writer.pairs) == 2 and bool(buffer.outage))
        writer.refuse = lambda _: False
        await eventually(lambda: len(writer.pairs) == 3)
        assert ids(writer) == ["id-0", "id-2", "id-1"]
        assert counters.coverage_totals[("chat", "paired")] == 3


async def test_a_workload_that_redis_refuses_loses_its_own_pairs_only() -> None:
    writer = TwinWriter(refuse=lambda encoded: encoded.workload == "chat")
    async with running(writer, BufferLimits(100, 10**6)) as (buffer, counters):
        for n in range(430):
            buffer.put_pair(raw(n))
            buffer.put_pair(raw(n, workload="mail"))
            if n % 20 == 0:
                await eventually(lambda: len(writer.pairs) == n + 1)  # noqa: B023 - awaited in this turn
        await eventually(lambda: counters.coverage_totals[("mail", "paired")] == 430)
        assert counters.coverage_totals[("mail", "lost_buffer")] == 0
        assert buffer.fill[0] + counters.coverage_totals[("chat", "lost_buffer")] == 430
        assert "chat" in buffer.outage
        buffer.put_outcomes([flush(1)])  # the workload's outcomes have a key of their own
        await eventually(lambda: len(writer.outcomes) == 1)
        writer.refuse = lambda _: False
        await eventually(lambda: buffer.fill == (0, 0) and not buffer.outage)


async def test_closing_writes_the_rest_and_ends() -> None:
    writer = TwinWriter()
    buffer = WriteBuffer(writer, TwinEncoder(), TrafficCounters(), BufferLimits(100, 10**6), "src")
    for n in range(3):
        buffer.put_pair(raw(n))
    buffer.put_outcomes([flush(1)])
    buffer.close()
    await asyncio.wait_for(buffer.run(), 5)
    assert (len(writer.pairs), len(writer.outcomes)) == (3, 1)


async def test_unwritten_pairs_at_the_end_are_counted_as_lost() -> None:
    writer = TwinWriter(away=True)
    async with running(writer) as (buffer, counters):
        for n in range(70):
            buffer.put_pair(raw(n))
        buffer.close()
        await eventually(lambda: writer.writes > 1)
        assert buffer.abandon() == 70
        assert counters.coverage_totals[("chat", Coverage.LOST_SHUTDOWN.value)] == 70
        assert buffer.fill == (0, 0)


async def test_a_cancellation_lost_in_the_redis_client_still_ends_the_writing_loop() -> None:
    writing = asyncio.Event()

    async def swallow() -> None:
        writing.set()
        with suppress(asyncio.CancelledError):  # as redis-py may
            await asyncio.Event().wait()

    writer = TwinWriter(away=True, before=swallow)
    buffer = WriteBuffer(writer, TwinEncoder(), TrafficCounters(), BufferLimits(100, 10**6), "src")
    buffer.put_pair(raw(1))
    task = asyncio.create_task(buffer.run())
    async with asyncio.timeout(60):
        await writing.wait()
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=60)
    assert done
    assert writer.writes == 1
    assert buffer.abandon() == 1


async def test_pairs_that_are_costly_to_encode_do_not_delay_outcomes() -> None:
    class OnePairPerCall(TwinEncoder):
        async def encode(self, batch: Sequence[RawPair]) -> list[EncodedPair]:
            return await super().encode(batch[:1])

    writer, order = TwinWriter(), []

    async def note() -> None:
        order.append(len(writer.outcomes))

    writer.before = note
    buffer = WriteBuffer(writer, OnePairPerCall(), TrafficCounters(), BufferLimits(100, 10**6), "src")
    for n in range(3):
        buffer.put_pair(raw(n))
    buffer.put_outcomes([flush(1)])
    buffer.close()
    async with asyncio.timeout(60):
        await buffer.run()
    assert ids(writer) == ["id-0", "id-1", "id-2"]
    assert order == [0, 1, 1]  # the outcomes were written with the first pair
    assert buffer.fill == (0, 0)


async def test_a_pair_lost_to_an_unexpected_error_is_counted_and_the_others_are_written() -> None:
    class DropsOnePair(TwinEncoder):
        async def encode(self, batch: Sequence[RawPair]) -> list[EncodedPair | None]:
            made = await super().encode(batch)
            return [None if raw.pair.id == "id-1" else one for raw, one in zip(batch, made, strict=True)]

    writer, counters = TwinWriter(), TrafficCounters()
    buffer = WriteBuffer(writer, DropsOnePair(), counters, BufferLimits(100, 10**6), "src")
    for n in range(3):
        buffer.put_pair(raw(n))
    buffer.close()
    async with asyncio.timeout(60):
        await buffer.run()
    assert ids(writer) == ["id-0", "id-2"]
    assert counters.coverage_totals == {("chat", "paired"): 2, ("chat", "internal_error"): 1}
    assert buffer.fill == (0, 0)
