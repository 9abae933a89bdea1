"""The evaluator queue in a running score loop, with an evaluator over HTTP and an in-memory pair queue."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import structlog
from redis.exceptions import ConnectionError as RedisConnectionError

from glidepath.clock import unix_ms
from glidepath.config import Config, parse_config
from glidepath.errors import ConfigError
from glidepath.evaluation_cost import HOUR_MS, CostSoFar
from glidepath.pair_scores import Preference
from glidepath.protobuf_codec import decode_scored, encode_pair
from scorer.scoring.worker.judging_queue import MAX_FAILURES, MAX_WAITING, OPEN_S, CircuitBreaker
from scorer.scoring.worker.pair_queue import QueueEntry
from scorer.scoring.worker.scoring_process.extract_embed_compare import ScoringContext
from scorer.scoring.worker.scoring_process.score_batch import score_batch
from tests.support.answer_pairs import noise_pair
from tests.support.embedders import WordEmbedder
from tests.support.evaluator_server import EvaluatorServer, evaluator_server, first
from tests.support.in_memory_score_loop import LoopHarness, queue_entry
from tests.support.thread_scorer import ThreadScorer
from tests.support.waiting import eventually

ALWAYS = "sample: 100%"


class MemoryBudget:
    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self.down: Exception | None = None
        self.cost = CostSoFar()

    async def pay(self, workload: str, cost: float, now_ms: int) -> CostSoFar:
        if self.down:
            raise self.down
        self.cost = self.cost.after(cost, now_ms)
        return self.cost

    async def spend(self, workload: str, limit: int, now_ms: int) -> bool:
        if self.down:
            raise self.down
        if self.spent[workload] >= limit:
            return False
        self.spent[workload] += 1
        return True


def configured(text: str, url: str, more: str = ALWAYS) -> Config:
    evaluator = f"    scoring: {{evaluator: {{url: '{url}', model: judge, {more}}}}}\n"
    return parse_config(text + evaluator + "scorer: {reclaim_after: 200ms}\n")


def new_harness(config: Config) -> LoopHarness:
    return LoopHarness(config, ThreadScorer(config, WordEmbedder()), MemoryBudget())


def outcome(harness: LoopHarness, name: str) -> float:
    return harness.metric("evaluations_total", workload="chat", outcome=name)


def entry(name: str, left: str = "It costs 40.", right: str = "You pay seventy for it.") -> QueueEntry:
    return queue_entry(name, left, right)


@pytest.fixture
async def evaluator() -> AsyncIterator[EvaluatorServer]:
    async with evaluator_server() as evaluator:
        yield evaluator


def test_only_a_pair_that_needs_a_question_has_texts_for_the_evaluator(valid_yaml: str) -> None:
    scoring = ScoringContext(
        configured(valid_yaml, "http://127.0.0.1:1", "sample: 100%, max_chars: 200"), WordEmbedder()
    )
    stored = [entry("a", right="B " * 900).data, entry("b", "Paris.", "Paris.").data, b"junk"]
    different, same, junk = score_batch(stored, scoring, 5000, {}).results
    assert different.for_evaluator["prompt"] == "The capital of France?"
    assert (different.for_evaluator["pair_id"], different.for_evaluator["baseline"]) == ("a", "It costs 40.")
    assert len(different.for_evaluator["candidate"]) == 200
    assert (same.for_evaluator, junk.for_evaluator) == ({}, {})
    assert decode_scored(same.scored).preference is Preference.TIE
    assert decode_scored(different.scored).preference is None


def test_without_an_evaluator_no_pair_has_texts_for_one(valid_yaml: str) -> None:
    assert (
        score_batch([entry("a").data], ScoringContext(parse_config(valid_yaml), WordEmbedder()), 5, {})
        .results[0]
        .for_evaluator
        == {}
    )


async def test_the_preference_is_written_with_the_pair_and_leaves_its_agreement_as_it_is(
    valid_yaml: str, evaluator: EvaluatorServer
) -> None:
    config = configured(valid_yaml, evaluator.url)
    harness, alone = new_harness(config), score_batch([entry("a").data], ScoringContext(config, WordEmbedder()), 5, {})
    harness.queue.waiting = [entry("a")]
    async with harness.running():
        await eventually(lambda: "a" in harness.queue.done)
    without = decode_scored(alone.results[0].scored)
    assert replace(harness.queue.done["a"], preference=None, scored_at_ms=5) == without
    assert harness.queue.done["a"].preference is Preference.WIN
    assert (outcome(harness, "win"), harness.budget.spent["chat"], len(evaluator.requests)) == (1, 1, 3)


async def test_other_pairs_do_not_wait_for_the_evaluator_and_claims_on_waiting_pairs_are_renewed(
    valid_yaml: str, evaluator: EvaluatorServer
) -> None:
    evaluator.may_answer.clear()
    harness = new_harness(configured(valid_yaml, evaluator.url, ALWAYS + ", in_flight: 2"))
    harness.queue.waiting = [entry(f"asked{i}") for i in range(10)]
    async with harness.running():
        await eventually(lambda: len(evaluator.requests) == 2)
        harness.queue.waiting += [entry(f"clear{i}", "Paris.", "Paris.") for i in range(10)]
        await eventually(lambda: sum(name.startswith("clear") for name in harness.queue.done) == 10)
        assert not [name for name in harness.queue.done if name.startswith("asked")]
        await eventually(lambda: {f"asked{i}-0" for i in range(10)} <= set(harness.queue.renewed))
        evaluator.may_answer.set()
        await eventually(lambda: len(harness.queue.done) == 20)
    assert evaluator.most_at_once == 2
    assert outcome(harness, "win") == 10


async def test_pairs_beyond_the_queue_limit_are_written_without_a_preference(
    valid_yaml: str, evaluator: EvaluatorServer
) -> None:
    evaluator.may_answer.clear()
    harness = new_harness(configured(valid_yaml, evaluator.url, ALWAYS + ", in_flight: 1"))
    harness.queue.waiting = [entry(f"p{i}", right=f"You pay {i} for it all.") for i in range(MAX_WAITING + 10)]
    async with harness.running():
        await eventually(lambda: outcome(harness, "queue_full") >= 9)
        await eventually(lambda: len(harness.queue.done) == outcome(harness, "queue_full"))
        evaluator.may_answer.set()
        await eventually(lambda: len(harness.queue.done) == MAX_WAITING + 10)
    assert outcome(harness, "queue_full") <= 10


async def test_a_failing_evaluator_costs_only_its_preferences_and_is_soon_not_asked(
    valid_yaml: str, evaluator: EvaluatorServer
) -> None:
    evaluator.failing = True
    harness = new_harness(configured(valid_yaml, evaluator.url, ALWAYS + ", in_flight: 1"))
    harness.queue.waiting = [entry(f"p{i}") for i in range(40)]
    with structlog.testing.capture_logs() as lines:
        async with harness.running():
            await eventually(lambda: len(harness.queue.done) == 40)
            assert harness.loop.readiness() == ""
    [paused] = [line for line in lines if line["event"] == "instrument_paused"]
    assert (paused["workload"], paused["instrument"], paused["reason"]) == ("chat", "evaluator", "status_503")
    assert outcome(harness, "status_503") == len(evaluator.requests) == MAX_FAILURES
    assert outcome(harness, "paused") == 40 - MAX_FAILURES
    assert harness.budget.spent["chat"] == MAX_FAILURES
    assert {pair.preference for pair in harness.queue.done.values()} == {None}


async def scored_in_turn(harness: LoopHarness, *entries: QueueEntry) -> list[Preference | None]:
    """Score the pairs one after another, and return their preferences."""
    done = harness.queue.done
    for count, one in enumerate(entries, len(done) + 1):
        harness.queue.waiting = [one]
        await eventually(lambda count=count: len(done) == count)
    return [done[one.id.removesuffix("-0")].preference for one in entries]


def equal(name: str) -> QueueEntry:
    return entry(name, "Paris.", "Paris.")


async def test_equal_answers_are_ties_only_while_other_pairs_get_preferences(
    valid_yaml: str, evaluator: EvaluatorServer
) -> None:
    harness = new_harness(configured(valid_yaml, evaluator.url))
    async with harness.running():
        assert await scored_in_turn(harness, equal("e1")) == [Preference.TIE]  # no pair has needed a question yet
        evaluator.failing = True
        assert await scored_in_turn(harness, entry("a"), equal("e2")) == [None, None]
        assert harness.queue.done["e2"].unjudged == "status_503"
        evaluator.failing = False
        assert await scored_in_turn(harness, entry("b"), equal("e3")) == [Preference.WIN, Preference.TIE]
        assert [harness.queue.done[name].unjudged for name in ("e1", "e3")] == ["equal", "equal"]


async def test_equal_answers_are_no_ties_before_the_first_reply_and_after_the_budget(
    valid_yaml: str, evaluator: EvaluatorServer
) -> None:
    evaluator.may_answer.clear()
    harness = new_harness(configured(valid_yaml, evaluator.url, ALWAYS + ", budget: 1"))
    harness.queue.waiting = [entry("a")]
    async with harness.running():
        await eventually(lambda: evaluator.requests)
        assert await scored_in_turn(harness, equal("e1")) == [None]
        evaluator.may_answer.set()
        await eventually(lambda: "a" in harness.queue.done)
        assert await scored_in_turn(harness, equal("e2"), entry("b"), equal("e3")) == [Preference.TIE, None, None]
    assert [harness.queue.done[name].unjudged for name in ("e1", "e3")] == ["awaited", "budget"]


async def test_no_question_is_sent_once_the_days_budget_is_spent(valid_yaml: str, evaluator: EvaluatorServer) -> None:
    harness = new_harness(configured(valid_yaml, evaluator.url, ALWAYS + ", budget: 3"))
    harness.queue.waiting = [entry(f"p{i}") for i in range(8)]
    harness.budget.spent["chat"] = 1  # by another scorer
    async with harness.running():
        await eventually(lambda: len(harness.queue.done) == 8)
    assert len(evaluator.requests) / 3 == outcome(harness, "win") == 2
    assert outcome(harness, "budget") == 6


async def test_no_question_is_sent_while_the_budget_cannot_be_counted(
    valid_yaml: str, evaluator: EvaluatorServer
) -> None:
    harness = new_harness(configured(valid_yaml, evaluator.url))
    harness.budget.down = RedisConnectionError("away")
    harness.queue.waiting = [entry("a")]
    async with harness.running():
        await eventually(lambda: "a" in harness.queue.done)
    assert (outcome(harness, "redis"), evaluator.requests) == (1, [])


async def test_at_a_stop_request_waiting_pairs_are_written_without_a_preference(
    valid_yaml: str, evaluator: EvaluatorServer
) -> None:
    evaluator.may_answer.clear()
    harness = new_harness(configured(valid_yaml, evaluator.url, ALWAYS + ", in_flight: 1"))
    harness.queue.waiting = [entry(f"p{i}") for i in range(4)]
    async with harness.running():
        await eventually(lambda: len(evaluator.requests) == 1 and not harness.queue.waiting)
    assert len(harness.queue.done) == 4
    assert outcome(harness, "stopping") == 4
    assert harness.queue.consumer_removed


def test_noise_pairs_are_not_judged(valid_yaml: str) -> None:
    context = ScoringContext(configured(valid_yaml, "http://127.0.0.1:1"), WordEmbedder())
    stored = encode_pair(noise_pair("n", "It costs 40.", "You pay seventy."))
    found = score_batch([stored], context, 5, {}).results[0]
    assert (found.for_evaluator, decode_scored(found.scored).preference) == ({}, None)
    assert found.noise


async def test_a_pair_that_only_one_order_prefers_is_an_inconsistent_tie(
    valid_yaml: str, evaluator: EvaluatorServer
) -> None:
    evaluator.judge = first
    harness = new_harness(configured(valid_yaml, evaluator.url))
    harness.queue.waiting = [entry("a")]
    async with harness.running():
        await eventually(lambda: "a" in harness.queue.done)
    assert harness.queue.done["a"].preference is Preference.INCONSISTENT
    assert outcome(harness, "inconsistent") == 1


async def test_the_credential_is_sent_and_a_missing_credential_ends_the_scorer_with_its_name(
    valid_yaml: str, evaluator: EvaluatorServer, tmp_path: Any
) -> None:
    file = tmp_path / "key"
    config = configured(valid_yaml, evaluator.url, ALWAYS + f", credential: {{file: '{file}'}}")
    with pytest.raises(ConfigError, match="key"):
        await new_harness(config).loop.run(asyncio.Event())
    file.write_text("s3cret\n")
    harness = new_harness(config)
    harness.queue.waiting = [entry("a")]
    async with harness.running():
        await eventually(lambda: outcome(harness, "win") == 1)
    assert evaluator.requests[0]["auth"] == "Bearer s3cret"


def test_the_circuit_breaker_opens_after_failures_in_a_row_and_then_allows_one_try() -> None:
    breaker = CircuitBreaker()
    for i in range(MAX_FAILURES):
        assert not breaker.is_open(float(i))
        breaker.record(False, float(i))
    ended = MAX_FAILURES - 1.0
    assert breaker.is_open(ended + OPEN_S - 0.1)
    assert not breaker.is_open(ended + OPEN_S)
    breaker.record(False, ended + OPEN_S)
    assert breaker.is_open(ended + OPEN_S + 1)
    breaker.record(True, ended + 2 * OPEN_S)
    breaker.record(False, ended + 2 * OPEN_S)
    assert not breaker.is_open(ended + 2 * OPEN_S)


def priced(limits: str) -> str:
    return f"{ALWAYS}, in_flight: 1, price: {{input: 1000, output: 10000}}, max_cost: {{{limits}}}"


async def test_no_question_is_sent_once_it_has_cost_enough(valid_yaml: str, evaluator: EvaluatorServer) -> None:
    evaluator.usage = {"prompt_tokens": 100, "completion_tokens": 10}  # a pair costs 3 × 0.2
    harness = new_harness(configured(valid_yaml, evaluator.url, priced("per_hour: 1, total: 100")))
    harness.budget.cost = CostSoFar(unix_ms() // HOUR_MS, 0.3, 90.3)  # by another scorer
    harness.queue.waiting = [entry(f"p{i}") for i in range(8)]
    async with harness.running():
        await eventually(lambda: len(harness.queue.done) == 8)
    assert len(evaluator.requests) / 3 == outcome(harness, "win") == 2
    assert outcome(harness, "hour_cost") == 6
    assert {pair.unjudged for pair in harness.queue.done.values() if pair.preference is None} == {"hour_cost"}
    assert harness.budget.cost.total == pytest.approx(91.5)


async def test_a_total_that_is_spent_permits_no_question_in_any_hour(
    valid_yaml: str, evaluator: EvaluatorServer
) -> None:
    harness = new_harness(configured(valid_yaml, evaluator.url, priced("total: 90")))
    harness.budget.cost = CostSoFar(5, 0.0, 90.0)
    harness.queue.waiting = [entry("a")]
    async with harness.running():
        await eventually(lambda: "a" in harness.queue.done)
    assert (outcome(harness, "total_cost"), evaluator.requests) == (1, [])


async def test_a_question_without_a_reply_costs_too_and_is_paid_once_redis_answers(
    valid_yaml: str, evaluator: EvaluatorServer
) -> None:
    evaluator.reply = b"no JSON"
    harness = new_harness(configured(valid_yaml, evaluator.url, priced("total: 1000")))
    harness.queue.waiting = [entry("a")]
    async with harness.running():
        await eventually(lambda: outcome(harness, "reply") == 1)
        first = harness.budget.cost.total
        assert first > 0
        harness.budget.down = RedisConnectionError("away")
        harness.queue.waiting = [entry("b")]
        await eventually(lambda: outcome(harness, "redis") == 1)
        harness.budget.down = None
        harness.queue.waiting = [entry("c")]
        await eventually(lambda: outcome(harness, "reply") == 2)
    assert harness.budget.cost.total == pytest.approx(2 * first, rel=0.2)
