"""The verifier in a running score loop: a command or an HTTP endpoint beside an in-memory pair queue."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from glidepath.config import Config, parse_config
from glidepath.errors import ConfigError
from glidepath.pair_scores import Correctness, Preference
from glidepath.protobuf_codec import encode_pair
from scorer.scoring.worker.judging_queue import MAX_FAILURES
from scorer.scoring.worker.scoring_process.extract_embed_compare import ScoringContext
from scorer.scoring.worker.scoring_process.score_batch import score_batch
from tests.support.answer_pairs import noise_pair
from tests.support.embedders import WordEmbedder
from tests.support.evaluator_server import evaluator_server
from tests.support.in_memory_score_loop import LoopHarness, queue_entry
from tests.support.thread_scorer import ThreadScorer
from tests.support.verifier_server import verifier_server
from tests.support.waiting import eventually

RIGHT_IF_SHORT = """
import json, sys
given = json.load(sys.stdin)
print(json.dumps({name: float(len(answer["text"]) < 10) for name, answer in given["answers"].items()}))
"""


def configured(text: str, verifier: dict[str, object], more: str = "") -> Config:
    scoring = f"    scoring: {{verifier: {json.dumps(verifier)}{more}}}\n"
    return parse_config(text + scoring + "scorer: {reclaim_after: 200ms}\n")


def harness_of(config: Config, budget: object = None) -> LoopHarness:
    return LoopHarness(config, ThreadScorer(config, WordEmbedder()), budget)


def outcome(harness: LoopHarness, name: str) -> float:
    return harness.metric("verifications_total", workload="chat", outcome=name)


async def results(harness: LoopHarness, pairs: int) -> None:
    harness.queue.waiting = [queue_entry(f"p{i}") for i in range(pairs)]
    async with harness.running():
        await eventually(lambda: len(harness.queue.done) == pairs)


@pytest.mark.process
async def test_a_command_says_how_right_each_answer_is(valid_yaml: str, tmp_path: Path) -> None:
    script = tmp_path / "verify.py"
    script.write_text(RIGHT_IF_SHORT)
    harness = harness_of(configured(valid_yaml, {"command": [sys.executable, str(script)]}))
    await results(harness, 4)
    assert {pair.correctness for pair in harness.queue.done.values()} == {Correctness(baseline=1, candidate=0)}
    assert outcome(harness, "verified") == 4


async def test_an_endpoint_gets_the_request_the_answers_and_the_credential(valid_yaml: str, tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("s3cret\n")
    async with verifier_server() as server:
        settings = {"url": server.url, "blind": False, "credential": {"file": str(secret)}}
        harness = harness_of(configured(valid_yaml, settings))
        await results(harness, 1)
    assert harness.queue.done["p0"].correctness == Correctness(baseline=1, candidate=0.5)
    [seen] = server.requests
    assert seen["auth"] == "Bearer s3cret"
    assert seen["body"]["answers"]["candidate"]["text"] == "It is Paris."
    assert seen["body"]["request"]["messages"][0]["content"] == "The capital of France?"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ((503, b""), "status_503"),
        ((200, b"no JSON"), "reply"),
        ((200, b"x" * 70_000), "output"),
        ((302, b""), "status_302"),
    ],
)
async def test_a_verifier_that_fails_costs_only_its_verdicts_and_is_soon_not_asked(
    valid_yaml: str, reply: tuple[int, bytes], expected: str
) -> None:
    async with verifier_server() as server:
        server.reply = reply
        harness = harness_of(configured(valid_yaml, {"url": server.url, "blind": False, "in_flight": 1}))
        await results(harness, 20)
    assert outcome(harness, expected) == len(server.requests) == MAX_FAILURES
    assert outcome(harness, "paused") == 20 - MAX_FAILURES
    assert {(pair.correctness, pair.unverified) for pair in harness.queue.done.values()} == {
        (None, expected),
        (None, "paused"),
    }
    assert all(pair.scored for pair in harness.queue.done.values())


async def test_an_unreachable_endpoint_is_no_data(valid_yaml: str) -> None:
    harness = harness_of(configured(valid_yaml, {"url": "http://127.0.0.1:1"}))
    await results(harness, 1)
    assert harness.queue.done["p0"].unverified == "unreachable"


async def test_a_pair_beyond_the_rate_or_the_size_is_counted_and_not_sent(valid_yaml: str) -> None:
    async with verifier_server() as server:
        harness = harness_of(configured(valid_yaml, {"url": server.url, "blind": False, "per_second": 0.001}))
        await results(harness, 5)
        assert (outcome(harness, "verified"), outcome(harness, "rate"), len(server.requests)) == (1, 4, 1)
        small = harness_of(configured(valid_yaml, {"url": server.url, "max_input": "1KiB"}))
        small.queue.waiting = [queue_entry("long", "x" * 2000)]
        async with small.running():
            await eventually(lambda: "long" in small.queue.done)
    assert (small.queue.done["long"].unverified, outcome(small, "too_large")) == ("too_large", 1)


async def test_a_stop_ends_the_open_calls_and_writes_the_pairs(valid_yaml: str) -> None:
    async with verifier_server() as server:
        server.may_answer.clear()
        harness = harness_of(configured(valid_yaml, {"url": server.url, "in_flight": 1}))
        harness.queue.waiting = [queue_entry(f"p{i}") for i in range(4)]
        async with harness.running():
            await eventually(lambda: len(server.requests) == 1 and not harness.queue.waiting)
    assert {pair.unverified for pair in harness.queue.done.values()} == {"stopping"}


async def test_a_pair_goes_through_the_verifier_and_then_through_the_evaluator(valid_yaml: str) -> None:
    class Unlimited:
        async def spend(self, workload: str, limit: int, now_ms: int) -> bool:
            return True

    async with verifier_server() as server, evaluator_server() as evaluator:
        more = f", evaluator: {{url: '{evaluator.url}', model: judge, sample: 100%}}"
        settings: dict[str, object] = {"url": server.url, "blind": False}
        harness = harness_of(configured(valid_yaml, settings, more), Unlimited())
        await results(harness, 3)
        found = {(pair.correctness, pair.preference) for pair in harness.queue.done.values()}
        assert found == {(Correctness(1, 0.5), Preference.WIN)}
        server.reply = (500, b"")
        harness = harness_of(configured(valid_yaml, settings, more), Unlimited())
        await results(harness, 3)
    assert {(p.unverified, p.preference) for p in harness.queue.done.values()} == {("status_500", Preference.WIN)}


def test_noise_pairs_are_not_verified(valid_yaml: str) -> None:
    context = ScoringContext(configured(valid_yaml, {"command": ["verify"]}), WordEmbedder())
    stored = [encode_pair(noise_pair("n", "It costs 40.", "You pay seventy.")), queue_entry("c").data]
    noise, cross = score_batch(stored, context, 5, {}).results
    assert noise.for_verifier == {}
    assert cross.for_verifier["pair_id"] == "c"


async def test_a_missing_credential_ends_the_scorer_with_its_name(valid_yaml: str) -> None:
    import asyncio

    settings: dict[str, object] = {"url": "http://127.0.0.1:1", "credential": {"env": "NO_SUCH_KEY"}}
    with pytest.raises(ConfigError, match="NO_SUCH_KEY"):
        await harness_of(configured(valid_yaml, settings)).loop.run(asyncio.Event())
