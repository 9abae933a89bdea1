"""The history that the leader writes beside its decisions."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from dataclasses import replace
from typing import Any

from prometheus_client import CollectorRegistry

from glidepath.histogram import Histogram
from glidepath.history import LEVELS, HistoryPoint, PeriodTotals, SideTotals, decode_point
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.pair_scores import AnswerFacts, Preference, ScoredPair
from glidepath.pairs import PairKind
from glidepath.redis_keys import WorkloadKeys
from glidepath.sides import Origin, Side
from glidepath.token_usage import TokenUsage
from scorer.steering.leader import history_recorder
from scorer.steering.leader.history_recorder import MOST_WAITING, HistoryRecorder, RampPosition, added_up, after
from scorer.steering.store_protocol import News
from tests.support.waiting import eventually

T0 = 1_700_000_000_000 // 3_600_000 * 3_600_000  # the beginning of an hour
KEYS = WorkloadKeys("chat")


def flush(requests: int = 10, errors: int = 1, latency: float = 100.0) -> Outcomes:
    live = SideOutcomes(
        Side.CANDIDATE,
        Origin.LIVE,
        requests,
        errors,
        {"http_503": errors},
        latency_ms=Histogram.of([latency] * requests),
        usage=(TokenUsage(100, 20, cached_read=40, answers=4),),
        sent_bytes=requests * 500,
    )
    shadow = replace(live, origin=Origin.SHADOW, requests=500)
    return Outcomes("chat", "e", 1, T0, T0, (live, shadow), {"captured": 4})


def pair(kind: PairKind = PairKind.CROSS, agreement: float = 0.5, **changes: Any) -> ScoredPair:
    answers = {"baseline": AnswerFacts(output_tokens=20), "candidate": AnswerFacts(output_tokens=30, faults=("loop",))}
    return ScoredPair("p", "chat", kind, T0, T0, True, agreement=agreement, **answers, **changes)


def position(after_s: float = 0, percent: float = 5.0) -> RampPosition:
    return RampPosition(round(T0 + after_s * 1000), percent, "baking")


async def points(redis: Any, level: int = 0) -> list[HistoryPoint]:
    entries = await redis.xrange(KEYS.history(LEVELS[level].name))
    seconds = LEVELS[level].seconds
    return [
        decode_point(fields[b"h"], int(entry.split(b"-")[0]), seconds, fields.get(b"t", b""))
        for entry, fields in entries
    ]


def test_clients_requests_and_pairs_are_added_up() -> None:
    found = added_up(
        [flush(), flush(5, 0)],
        [pair(), pair(agreement=1.0, preference=Preference.LOSS), pair(PairKind.NOISE, 0.8)],
        position(),
    )
    assert (found.candidate.requests, found.candidate.errors, found.candidate.kinds) == (15, 1, {"http_503": 1})
    assert (found.scored, found.agreement_sum, found.noise_pairs, found.captured) == (2, 1.5, 1, 8)
    assert (found.judged, found.preference_sum) == (1, 0.0)
    assert (found.candidate.answers, found.candidate.tokens, found.candidate.defects) == (2, 60, 2)
    assert (found.percent, found.phase) == (5.0, "baking")


def test_a_period_is_over_with_the_first_totals_after_it() -> None:
    one = PeriodTotals(SideTotals(requests=1))
    closed, still_open = after({}, one, T0)
    assert not closed
    closed, still_open = after(still_open, one, T0 + 9_999)
    assert not closed
    closed, still_open = after(still_open, one, T0 + 10_000)
    [(level, start, totals)] = closed
    assert (level.name, start, totals.baseline.requests) == ("10s", T0, 2)
    assert still_open["1h"][1].baseline.requests == 3
    closed, _ = after(still_open, one, T0 + 3_600_000)
    assert {level.name: totals.baseline.requests for level, _, totals in closed} == {"10s": 1, "5m": 3, "1h": 3}


async def test_each_closed_period_is_stored_once(redis_client: Any) -> None:
    recorder = HistoryRecorder(redis_client, CollectorRegistry())
    for second in range(0, 35, 5):
        recorder.note("chat", News(outcomes=(flush(),)), position(second))
        await recorder.write("chat")
    stored = await points(redis_client)
    assert [(one.at_ms - T0, one.candidate.requests) for one in stored] == [(0, 20), (10_000, 20), (20_000, 20)]
    assert stored[0].candidate.p99 is not None
    assert 99 < stored[0].candidate.p99 < 101


async def test_a_leader_that_leads_again_counts_what_it_had_not_stored(redis_client: Any) -> None:
    first, second = (HistoryRecorder(redis_client, CollectorRegistry()) for _ in range(2))

    async def next_term(recorder: HistoryRecorder) -> None:
        term = asyncio.create_task(recorder.run())
        await asyncio.sleep(0)  # a term begins, and is over at once
        term.cancel()
        await asyncio.gather(term, return_exceptions=True)

    first.note("chat", News(outcomes=(flush(),)), position(0))
    await first.write("chat")  # the period is open, so Redis has nothing of it
    first.note("chat", News(outcomes=(flush(),)), position(1))
    second.note("chat", News(outcomes=(flush(),)), position(2))
    await second.write("chat")
    for recorder, seconds in ((first, (5, 10)), (second, (12, 20))):
        await next_term(recorder)
        for at in seconds:
            recorder.note("chat", News(outcomes=(flush(),)), position(at))
            await recorder.write("chat")
    stored = await points(redis_client)
    assert [one.candidate.requests for one in stored] == [30, 30]  # the last flush, of the 20th second, is still open


async def test_the_tokens_of_clients_and_of_copies_are_stored_apart(redis_client: Any) -> None:
    recorder = HistoryRecorder(redis_client, CollectorRegistry())
    for second in (0, 5, 10):
        recorder.note("chat", News(outcomes=(flush(),)), position(second))
        await recorder.write("chat")
    [point] = await points(redis_client)
    live, copies = point.candidate.traffic.live, point.candidate.traffic.copies
    assert (live.requests, live.sent_bytes, copies.requests) == (18, 10_000, 998)  # without one error in each flush
    assert live.usage == copies.usage == (TokenUsage(200, 40, cached_read=80, answers=8),)
    assert not point.baseline.traffic.live.requests


def test_what_the_baseline_answered_for_the_candidate_is_traffic_of_the_baseline() -> None:
    rescues = SideOutcomes(Side.CANDIDATE, Origin.LIVE, requests=10, errors=4, failovers=4, rescued=3)
    pinned = {"pinned_store": 2, "pinned_too_long": 1, "captured": 9}
    found = added_up([Outcomes("chat", "e", 1, T0, T0, (rescues,), pinned)], [], position())
    assert (found.candidate.traffic.live.requests, found.baseline.traffic.live.requests, found.pinned) == (6, 3, 3)


async def test_the_next_leader_goes_on_with_the_open_periods(redis_client: Any) -> None:
    first, second = (HistoryRecorder(redis_client, CollectorRegistry()) for _ in range(2))
    for at in (0, 10, 20):
        first.note("chat", News(outcomes=(flush(),)), position(at))
        await first.write("chat")
    for at in (30, 300):
        second.note("chat", News(outcomes=(flush(),)), position(at))
        await second.write("chat")
    [five_minutes] = await points(redis_client, 1)
    assert five_minutes.candidate.requests == 40


async def test_a_period_that_another_leader_wrote_stays(redis_client: Any) -> None:
    registry = CollectorRegistry()
    for recorder in (HistoryRecorder(redis_client, CollectorRegistry()), HistoryRecorder(redis_client, registry)):
        await redis_client.delete(KEYS.open_history)
        for at in (0, 10):
            recorder.note("chat", News(outcomes=(flush(),)), position(at))
            await recorder.write("chat")
    assert len(await points(redis_client)) == 1
    assert registry.get_sample_value("glidepath_history_lost_total") == 1


async def test_the_memory_in_redis_is_bounded(redis_client: Any) -> None:
    recorder = HistoryRecorder(redis_client, CollectorRegistry())
    for number in range(LEVELS[0].kept + 300):
        recorder.note("chat", News(outcomes=(flush(),)), position(number * 10))
        await recorder.write("chat")
    assert await redis_client.xlen(KEYS.history("10s")) <= LEVELS[0].kept + 100
    assert await redis_client.memory_usage(KEYS.history("10s")) < 200_000
    assert await redis_client.ttl(KEYS.open_history) > 0


async def test_unreadable_open_periods_are_left_out(redis_client: Any) -> None:
    for damage in (b"", b"[]", b"{", b'{"10s": 1}', b'{"10s": [1, {}]}', b"\xff"):
        await redis_client.set(KEYS.open_history, damage)
        recorder = HistoryRecorder(redis_client, CollectorRegistry())
        recorder.note("chat", News(outcomes=(flush(),)), position())
        await recorder.write("chat")


def test_what_waits_is_bounded_and_counted() -> None:
    registry = CollectorRegistry()
    recorder = HistoryRecorder(None, registry)
    for _ in range(3):
        recorder.note("chat", News(outcomes=(flush(),) * MOST_WAITING), position())
    assert registry.get_sample_value("glidepath_history_lost_total") == MOST_WAITING


async def test_every_period_has_the_requests_of_its_flushes_whenever_they_are_added_up(redis_client: Any) -> None:
    recorder, rng = HistoryRecorder(redis_client, CollectorRegistry()), random.Random(7)
    expected: dict[int, Counter[int]] = {0: Counter(), 1: Counter()}
    at = 0.0
    while at < 1500:
        requests = rng.randint(1, 9)
        recorder.note("chat", News(outcomes=(flush(requests),)), position(at))
        for level, counts in expected.items():
            counts[LEVELS[level].start_of(round(T0 + at * 1000))] += requests
        await recorder.write("chat")
        at += rng.choice((0.5, 2.0, 2.0, 2.0, 11.0, 45.0))
    for level, counts in expected.items():
        stored = {one.at_ms: one.candidate.requests for one in await points(redis_client, level)}
        open_period = max(counts)
        assert stored == {start: n for start, n in counts.items() if start != open_period}
        assert len(stored) >= 4


async def test_a_round_adds_up_each_workload(redis_client: Any) -> None:
    recorder = HistoryRecorder(redis_client, CollectorRegistry())
    names = [f"w{number}" for number in range(history_recorder.SLICES * 2 + 3)]
    seconds = itertools.count(0, 10)

    async def all_stored() -> bool:
        second = next(seconds)  # so a period is over each time
        for name in names:
            recorder.note(name, News(outcomes=(flush(),)), position(second))
        return all([await redis_client.xlen(WorkloadKeys(name).history("10s")) for name in names])

    async with asyncio.TaskGroup() as group:
        running = group.create_task(recorder.run())
        await eventually(all_stored)
        running.cancel()
