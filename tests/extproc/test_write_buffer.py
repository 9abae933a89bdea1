"""The buffer in front of Redis: bounded, honest, and patient."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from extproc.counters import Ledger
from extproc.pair_encoding import Prepared, RawPair
from extproc.write_buffer import Bounds, BufferedSink
from glidepath.domain import Answer, Coverage, Origin, Outcomes, Pair, PairKind, Side, SideOutcomes
from tests.extproc.twins import TwinPreparer, TwinStore, eventually


def raw(number: int, size: int = 10) -> RawPair:
    answer = Answer(Side.BASELINE, Origin.LIVE, "cloud", 200, body=b"x" * size)
    pair = Pair(f"id-{number}", "chat", PairKind.CROSS, 0, "POST", "/", b"", answer, answer)
    return RawPair(pair)


def flush(requests: int, workload: str = "chat") -> Outcomes:
    sides = (SideOutcomes(Side.BASELINE, Origin.LIVE, requests=requests),)
    return Outcomes(workload, "", 0, 1, 2, sides, {"captured": requests})


@asynccontextmanager
async def running(store: TwinStore, bounds: Bounds | None = None) -> AsyncIterator[tuple[BufferedSink, Ledger]]:
    ledger = Ledger()
    sink = BufferedSink(store, TwinPreparer(), ledger, bounds or Bounds(100, 10**6), "src")
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(sink.run())
        yield sink, ledger
        task.cancel()


def ids(store: TwinStore) -> list[str]:
    return [prepared.data.decode() for prepared in store.pairs]


async def test_pairs_and_outcomes_arrive_and_are_counted_when_they_are_kept() -> None:
    store = TwinStore()
    async with running(store) as (sink, ledger):
        for n in range(150):
            sink.put_pair(raw(n))
            await asyncio.sleep(0)
        sink.put_outcomes([flush(3), flush(4, "mail")])
        await eventually(lambda: len(store.pairs) == 150 and len(store.outcomes) == 2)
        assert ids(store) == [f"id-{n}" for n in range(150)]
        assert {(o.workload, o.source) for o in store.outcomes} == {("chat", "src"), ("mail", "src")}
        assert ledger.coverage_totals[("chat", "paired")] == 150
        assert sink.fill == (0, 0)


async def test_pairs_that_come_together_are_written_together() -> None:
    store = TwinStore()
    async with running(store) as (sink, _):
        await asyncio.sleep(0)  # the writer waits for work
        for n in range(20):
            sink.put_pair(raw(n))
            await asyncio.sleep(0)
        await eventually(lambda: len(store.pairs) == 20)
        assert store.writes == 1


async def test_a_full_buffer_drops_the_oldest_and_counts_them() -> None:
    store = TwinStore(away=True)
    async with running(store, Bounds(5, 10**6)) as (sink, ledger):
        for n in range(20):
            sink.put_pair(raw(n))
        assert sink.fill[0] == 5
        assert ledger.coverage_totals[("chat", "lost_buffer")] == 15
        store.away = False
        await eventually(lambda: len(store.pairs) == 5)
        assert ids(store) == [f"id-{n}" for n in range(15, 20)]


async def test_the_buffer_is_bounded_by_bytes_too() -> None:
    async with running(TwinStore(away=True), Bounds(1000, 100_000)) as (sink, ledger):
        for n in range(50):
            sink.put_pair(raw(n, size=20_000))
            assert sink.fill[1] <= 100_000
        assert ledger.coverage_totals[("chat", "lost_buffer")] >= 45


async def test_while_redis_is_away_outcomes_add_up_and_none_is_lost() -> None:
    store = TwinStore(away=True)
    async with running(store) as (sink, _):
        for turn in range(3):
            for _ in range(10):
                sink.put_outcomes([flush(1)])
            await eventually(lambda: store.writes > turn)  # noqa: B023 - awaited in this turn
        assert sink.away
        store.away = False
        await eventually(lambda: not sink.away and sum(o.sides[0].requests for o in store.outcomes) == 30)
        assert sum(o.coverage["captured"] for o in store.outcomes) == 30
        assert len(store.outcomes) <= 2


async def test_a_flush_that_may_have_arrived_is_repeated_under_its_number_so_that_it_counts_once() -> None:
    store = TwinStore(lose_acknowledgements=True)
    async with running(store) as (sink, _):
        sink.put_outcomes([flush(3)])
        await eventually(lambda: store.writes >= 2)
        sink.put_outcomes([flush(4)])
        store.lose_acknowledgements = False
        await eventually(lambda: len(store.outcomes) == 2)
        assert [(o.seq, o.sides[0].requests) for o in store.outcomes] == [(1, 3), (2, 4)]


async def test_what_redis_refuses_is_kept_and_tried_again() -> None:
    store = TwinStore(refuse=lambda prepared: prepared.data == b"id-1")
    async with running(store) as (sink, ledger):
        for n in range(3):
            sink.put_pair(raw(n))
        await eventually(lambda: len(store.pairs) == 2 and bool(sink.away))
        store.refuse = lambda _: False
        await eventually(lambda: len(store.pairs) == 3)
        assert ids(store) == ["id-0", "id-2", "id-1"]
        assert ledger.coverage_totals[("chat", "paired")] == 3


async def test_closing_writes_what_is_left_and_ends() -> None:
    store = TwinStore()
    sink = BufferedSink(store, TwinPreparer(), Ledger(), Bounds(100, 10**6), "src")
    for n in range(3):
        sink.put_pair(raw(n))
    sink.put_outcomes([flush(1)])
    sink.close()
    await asyncio.wait_for(sink.run(), 5)
    assert (len(store.pairs), len(store.outcomes)) == (3, 1)


async def test_what_cannot_be_written_at_the_end_is_counted_as_lost() -> None:
    store = TwinStore(away=True)
    async with running(store) as (sink, ledger):
        for n in range(70):
            sink.put_pair(raw(n))
        sink.close()
        await eventually(lambda: store.writes > 1)
        assert sink.abandon() == 70
        assert ledger.coverage_totals[("chat", Coverage.LOST_SHUTDOWN.value)] == 70
        assert sink.fill == (0, 0)


async def test_a_cancellation_that_the_client_swallows_still_ends_the_writer() -> None:
    writing = asyncio.Event()

    async def swallow() -> None:
        writing.set()
        with suppress(asyncio.CancelledError):  # as redis-py may
            await asyncio.Event().wait()

    store = TwinStore(away=True, before=swallow)
    sink = BufferedSink(store, TwinPreparer(), Ledger(), Bounds(100, 10**6), "src")
    sink.put_pair(raw(1))
    task = asyncio.create_task(sink.run())
    async with asyncio.timeout(5):
        await writing.wait()
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=5)
    assert done
    assert store.writes == 1
    assert sink.abandon() == 1


async def test_pairs_that_are_costly_to_prepare_do_not_hold_up_outcomes() -> None:
    class Slow(TwinPreparer):
        async def prepare(self, batch: Sequence[RawPair]) -> list[Prepared]:
            return await super().prepare(batch[:1])

    store, order = TwinStore(), []

    async def note() -> None:
        order.append(len(store.outcomes))

    store.before = note
    sink = BufferedSink(store, Slow(), Ledger(), Bounds(100, 10**6), "src")
    for n in range(3):
        sink.put_pair(raw(n))
    sink.put_outcomes([flush(1)])
    sink.close()
    async with asyncio.timeout(5):
        await sink.run()
    assert ids(store) == ["id-0", "id-1", "id-2"]
    assert order == [0, 1, 1]  # the outcomes went with the first pair
    assert sink.fill == (0, 0)


async def test_a_pair_that_was_set_aside_is_counted_and_the_others_are_written() -> None:
    class Choosy(TwinPreparer):
        async def prepare(self, batch: Sequence[RawPair]) -> list[Prepared | None]:
            made = await super().prepare(batch)
            return [None if raw.pair.id == "id-1" else one for raw, one in zip(batch, made, strict=True)]

    store, ledger = TwinStore(), Ledger()
    sink = BufferedSink(store, Choosy(), ledger, Bounds(100, 10**6), "src")
    for n in range(3):
        sink.put_pair(raw(n))
    sink.close()
    async with asyncio.timeout(5):
        await sink.run()
    assert ids(store) == ["id-0", "id-2"]
    assert ledger.coverage_totals == {("chat", "paired"): 2, ("chat", "set_aside"): 1}
    assert sink.fill == (0, 0)
