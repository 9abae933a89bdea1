"""Kill the scorer, Envoy and Redis under live traffic: every pair gets one score, and the weights are restored."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp.test_utils import TestServer
from openai import AsyncOpenAI

from glidepath.sides import Side
from glidepath.status_and_decisions import Command, CommandKind, to_json
from glidepath_ops.demo.answer_sources import Pace, WrittenTexts
from glidepath_ops.demo.backend_server import BackendServer
from glidepath_ops.demo.written_answers import texts
from tests.support.client_traffic import assert_each_pair_once, traffic
from tests.support.running_system import System, running_system, system_config
from tests.support.score_loop_on_redis import has_results, pending
from tests.support.waiting import eventually

EASY = {"sameness": {"min_agreement": 0.01}, "errors": {"max_increase": "90%"}, "latency": []}


def written(model: str) -> BackendServer:
    """Return a backend of the demo, with token counts and texts of a natural length."""
    rng = random.Random(1)
    pace = Pace(first=0.01, chunk=0.001)
    return BackendServer(model, WrittenTexts(Side.BASELINE, model, pace, rng), rng)


async def drain(stream: AsyncIterator[object]) -> None:
    async for _ in stream:
        pass


async def all_scored_once(system: System) -> bool:
    results = [result.pair_id for result in await system.results()]
    pairs = [pair.id for pair in await system.pairs()]
    assert len(results) == len(set(results))
    return sorted(results) == sorted(pairs) and await pending(system.redis) == 0


async def freeze_scorer_with_claimed_pairs(system: System) -> None:
    scorer = system.child("scorer")

    async def frozen_with_claimed_pairs() -> bool:
        scorer.signal(signal.SIGSTOP)
        if await pending(system.redis):
            return True
        scorer.signal(signal.SIGCONT)
        return False

    await eventually(frozen_with_claimed_pairs)


async def test_the_pairs_of_a_killed_scorer_are_scored_exactly_once(tmp_path: Path) -> None:
    async with traffic(tmp_path, scorer=True) as under_way:
        system = under_way.system
        await freeze_scorer_with_claimed_pairs(system)
        system.child("scorer").kill()
        await under_way.more(50)
        await system.restart("scorer")
        await under_way.more(50)
        await under_way.finish()
        await eventually(lambda: all_scored_once(system))
        assert await assert_each_pair_once(system) > 100


async def test_results_have_the_facts_of_both_sides(tmp_path: Path) -> None:
    async with TestServer(written("cloud").app()) as cloud, TestServer(written("onprem").app()) as onprem:
        config = system_config(tmp_path, *(str(side.make_url("")).rstrip("/") for side in (cloud, onprem)))
        async with running_system(config, tmp_path) as system:
            async with AsyncOpenAI(base_url=f"{system.url}/v1", api_key="k", max_retries=0) as client:
                for stream in (False, True):
                    more = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
                    messages = [{"role": "user", "content": texts()[0].prompt}]
                    answer = await client.chat.completions.create(model="m", messages=messages, **more)
                    if stream:
                        await drain(answer)
            await eventually(lambda: has_results(system.redis, 2))
            for result in await system.results():
                assert result.scored, result.unscored_reason
                assert 0.5 < result.agreement <= 1
                for facts, backend in ((result.baseline, "cloud"), (result.candidate, "onprem")):
                    assert (facts.backend, facts.status, facts.finish_reason) == (backend, 200, "stop")
                    assert 0 < facts.first_byte_ms <= facts.total_ms
                    assert facts.output_tokens > 30
                    assert facts.text_chars > 100


async def test_after_an_envoy_restart_the_weights_are_right_again(tmp_path: Path) -> None:
    async with traffic(tmp_path, scorer=True, gates=EASY) as under_way:
        system = under_way.system
        await under_way.finish()
        command = Command(CommandKind.PROMOTE, actor="test", reason="by hand", force=True)
        await system.redis.xadd(system.keys.commands, {"c": to_json(command)})
        wanted = {"onprem-or-cloud": 10_000, "cloud": 0}

        async def as_wanted() -> bool:
            return await system.weights() == wanted

        await eventually(as_wanted)
        system.child("envoy").kill()
        await system.restart("envoy")
        await eventually(as_wanted)
        decisions = await system.decisions()
        assert not [d for d in decisions if d.event == "adopt_weights"], (
            "an Envoy without runtime values has no manual override"
        )


async def test_while_redis_is_unreachable_the_weights_stay_and_steering_resumes_afterwards(tmp_path: Path) -> None:
    async with traffic(tmp_path, scorer=True) as under_way:
        system = under_way.system
        before = await system.weights()
        await asyncio.to_thread(system.child("redis").stop)
        await under_way.more(100)
        assert await system.weights() == before
        await system.restart("redis")
        await under_way.finish()
        await eventually(lambda: all_scored_once(system), within=90)
        command = Command(CommandKind.HOLD, actor="test", reason="still listening")
        await system.redis.xadd(system.keys.commands, {"c": to_json(command)})

        async def held() -> bool:
            status = await system.status()
            return status is not None and status.phase == "held"

        await eventually(held)
