"""The evaluator beside the score loop: what waits for it, what does not, and what it may cost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from redis.exceptions import ConnectionError as RedisConnectionError

from glidepath.config import Config, parse_config
from glidepath.domain import PairKind
from glidepath.errors import ConfigError
from glidepath.wire import decode_scored, encode_pair
from scorer.scoring.worker.evaluator_queue import MAX_FAILURES, MAX_WAITING, OPEN_S, CircuitBreaker
from scorer.scoring.worker.in_thread import ThreadScorer
from scorer.scoring.worker.pair_queue import QueueEntry
from scorer.scoring.worker.score_loop import ScoreLoop
from scorer.scoring.worker.scoring_process.score_batch import score_batch
from scorer.scoring.worker.scoring_process.score_pairs import ScoringContext
from tests.support.evaluator_server import EvaluatorServer, evaluator_server
from tests.support.scoring import MemoryPairQueue, WordEmbedder, noise_pair, pair
from tests.support.waiting import eventually

ALWAYS = "between: [0, 0.99]"  # any two answers that are not the same


class MemoryBudget:
    """The shared budget's twin."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self.down: Exception | None = None

    async def take(self, workload: str, limit: int, now_ms: int) -> bool:
        if self.down:
            raise self.down
        if self.spent[workload] >= limit:
            return False
        self.spent[workload] += 1
        return True


def configured(text: str, url: str, more: str = ALWAYS) -> Config:
    evaluator = f"    scoring: {{evaluator: {{url: '{url}', model: judge, {more}}}}}\n"
    return parse_config(text + evaluator + "scorer: {reclaim_after: 200ms}\n")


class Harness:
    def __init__(self, config: Config) -> None:
        self.queue, self.budget, self.registry = MemoryPairQueue(), MemoryBudget(), CollectorRegistry()
        self.worker = ScoreLoop(
            config,
            None,
            ThreadScorer(config, WordEmbedder()),
            consumer="c",
            registry=self.registry,
            queue=self.queue,
            budget=self.budget,
        )

    def outcome(self, name: str) -> float:
        labels = {"workload": "chat", "outcome": name}
        return self.registry.get_sample_value("glidepath_scorer_evaluations_total", labels) or 0.0

    def agreement(self, name: str) -> float:
        return self.queue.done[name].agreement

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            task = group.create_task(self.worker.run(stop))
            yield
            stop.set()
            await task


def entry(name: str, left: str = "It costs 40.", right: str = "You pay seventy for it.", **changes: Any) -> QueueEntry:
    return QueueEntry("chat", f"{name}-0", encode_pair(pair(name, left, right, **changes)))


@pytest.fixture
async def judge() -> AsyncIterator[EvaluatorServer]:
    async with evaluator_server() as judge:
        yield judge


def test_a_pair_in_doubt_comes_with_what_to_ask_and_others_do_not(valid_yaml: str) -> None:
    scoring = ScoringContext(
        configured(valid_yaml, "http://127.0.0.1:1", "between: [0.0, 0.9], max_chars: 200"), WordEmbedder()
    )
    stored = [entry("a", right="B " * 900).data, entry("b", "Paris.", "Paris.").data, b"junk"]
    doubtful, same, junk = score_batch(stored, scoring, 5000, {}).results
    assert doubtful.doubt["prompt"] == "The capital of France?"
    assert (doubtful.doubt["pair_id"], doubtful.doubt["baseline"]) == ("a", "It costs 40.")
    assert len(doubtful.doubt["candidate"]) == 200
    assert (same.doubt, junk.doubt) == ({}, {})


def test_without_an_evaluator_nothing_is_in_doubt(valid_yaml: str) -> None:
    assert (
        score_batch([entry("a").data], ScoringContext(parse_config(valid_yaml), WordEmbedder()), 5, {}).results[0].doubt
        == {}
    )


async def test_an_opinion_is_mixed_into_the_score_of_a_pair_in_doubt(valid_yaml: str, judge: EvaluatorServer) -> None:
    config = configured(valid_yaml, judge.url)
    bench, alone = Harness(config), score_batch([entry("a").data], ScoringContext(config, WordEmbedder()), 5, {})
    bench.queue.waiting = [entry("a")]
    async with bench.running():
        await eventually(lambda: "a" in bench.queue.done)
    cheap = decode_scored(alone.results[0].scored).agreement
    assert bench.agreement("a") == pytest.approx(0.5 * cheap + 0.5 * 0.25)
    assert bench.queue.done["a"].flags[-1] == "evaluator"
    assert bench.queue.done["a"].signals["evaluator"] == 0.75
    assert (bench.outcome("opinion"), bench.budget.spent["chat"]) == (1, 1)


async def test_no_other_pair_waits_for_an_opinion_and_those_that_do_are_held(
    valid_yaml: str, judge: EvaluatorServer
) -> None:
    judge.gate.clear()
    bench = Harness(configured(valid_yaml, judge.url, ALWAYS + ", in_flight: 2"))
    bench.queue.waiting = [entry(f"doubt{i}") for i in range(10)]
    async with bench.running():
        await eventually(lambda: len(judge.seen) == 2)
        bench.queue.waiting += [entry(f"clear{i}", "Paris.", "Paris.") for i in range(10)]
        await eventually(lambda: sum(name.startswith("clear") for name in bench.queue.done) == 10)
        assert not [name for name in bench.queue.done if name.startswith("doubt")]
        await eventually(lambda: {f"doubt{i}-0" for i in range(10)} <= set(bench.queue.held))
        judge.gate.set()
        await eventually(lambda: len(bench.queue.done) == 20)
    assert judge.most_at_once == 2
    assert bench.outcome("opinion") == 10


async def test_more_than_may_wait_are_written_as_they_are(valid_yaml: str, judge: EvaluatorServer) -> None:
    judge.gate.clear()
    bench = Harness(configured(valid_yaml, judge.url, ALWAYS + ", in_flight: 1"))
    bench.queue.waiting = [entry(f"p{i}", right=f"You pay {i} for it.") for i in range(MAX_WAITING + 10)]
    async with bench.running():
        await eventually(lambda: bench.outcome("busy") >= 9)
        await eventually(lambda: len(bench.queue.done) == bench.outcome("busy"))
        judge.gate.set()
        await eventually(lambda: len(bench.queue.done) == MAX_WAITING + 10)
    assert bench.outcome("busy") <= 10


async def test_a_dead_evaluator_costs_nothing_but_its_opinions_and_is_soon_left_alone(
    valid_yaml: str, judge: EvaluatorServer
) -> None:
    judge.broken = True
    bench = Harness(configured(valid_yaml, judge.url, ALWAYS + ", in_flight: 1"))
    bench.queue.waiting = [entry(f"p{i}") for i in range(40)]
    async with bench.running():
        await eventually(lambda: len(bench.queue.done) == 40)
        assert bench.worker.readiness() == ""
    assert bench.outcome("status_503") == len(judge.seen) == MAX_FAILURES
    assert bench.outcome("resting") == 40 - MAX_FAILURES
    assert bench.budget.spent["chat"] == MAX_FAILURES
    assert "evaluator" not in bench.queue.done["p0"].signals


async def test_when_the_days_budget_is_spent_nothing_is_asked(valid_yaml: str, judge: EvaluatorServer) -> None:
    bench = Harness(configured(valid_yaml, judge.url, ALWAYS + ", budget: 3"))
    bench.queue.waiting = [entry(f"p{i}") for i in range(8)]
    bench.budget.spent["chat"] = 1  # by another scorer
    async with bench.running():
        await eventually(lambda: len(bench.queue.done) == 8)
    assert len(judge.seen) == bench.outcome("opinion") == 2
    assert bench.outcome("budget") == 6


async def test_a_budget_that_cannot_be_counted_is_not_spent(valid_yaml: str, judge: EvaluatorServer) -> None:
    bench = Harness(configured(valid_yaml, judge.url))
    bench.budget.down = RedisConnectionError("away")
    bench.queue.waiting = [entry("a")]
    async with bench.running():
        await eventually(lambda: "a" in bench.queue.done)
    assert (bench.outcome("redis"), judge.seen) == (1, [])


async def test_told_to_stop_it_writes_what_waits_as_it_is(valid_yaml: str, judge: EvaluatorServer) -> None:
    judge.gate.clear()
    bench = Harness(configured(valid_yaml, judge.url, ALWAYS + ", in_flight: 1"))
    bench.queue.waiting = [entry(f"p{i}") for i in range(4)]
    async with bench.running():
        await eventually(lambda: len(judge.seen) == 1 and not bench.queue.waiting)
    assert len(bench.queue.done) == 4
    assert bench.outcome("stopping") == 4
    assert bench.queue.left


async def test_noise_pairs_are_asked_about_too_and_their_floor_counts_the_opinion(
    valid_yaml: str, judge: EvaluatorServer
) -> None:
    bench = Harness(configured(valid_yaml, judge.url))
    bench.queue.waiting = [QueueEntry("chat", "n-0", encode_pair(noise_pair("n", "It costs 40.", "You pay seventy.")))]
    async with bench.running():
        await eventually(lambda: "n" in bench.queue.done)
    assert bench.queue.done["n"].kind is PairKind.NOISE
    assert bench.queue.floors_added["n"]["agreement_sum"] == pytest.approx(bench.agreement("n"))


async def test_the_credential_is_sent_and_a_missing_one_ends_the_scorer_with_its_name(
    valid_yaml: str, judge: EvaluatorServer, tmp_path: Any
) -> None:
    file = tmp_path / "key"
    config = configured(valid_yaml, judge.url, ALWAYS + f", credential: {{file: '{file}'}}")
    with pytest.raises(ConfigError, match="key"):
        await Harness(config).worker.run(asyncio.Event())
    file.write_text("s3cret\n")
    bench = Harness(config)
    bench.queue.waiting = [entry("a")]
    async with bench.running():
        await eventually(lambda: bench.outcome("opinion") == 1)
    assert judge.seen[0]["auth"] == "Bearer s3cret"


def test_patience_ends_after_failures_in_a_row_and_comes_back_for_one_try() -> None:
    breaker = CircuitBreaker()
    for i in range(MAX_FAILURES):
        assert not breaker.is_open(float(i))
        breaker.note(False, float(i))
    ended = MAX_FAILURES - 1.0
    assert breaker.is_open(ended + OPEN_S - 0.1)
    assert not breaker.is_open(ended + OPEN_S)
    breaker.note(False, ended + OPEN_S)
    assert breaker.is_open(ended + OPEN_S + 1)
    breaker.note(True, ended + 2 * OPEN_S)
    breaker.note(False, ended + 2 * OPEN_S)
    assert not breaker.is_open(ended + 2 * OPEN_S)
