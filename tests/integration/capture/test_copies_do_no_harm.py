"""Copies affect no client, count as no errors where they cannot succeed, and yield to clients: real processes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from glidepath import redis_keys
from glidepath.movable_share import movable_share
from glidepath.protobuf_codec import decode_outcomes
from glidepath.sides import Origin, Side
from scorer.steering.workload.lifetime_counts import Totals
from tests.support.running_capture import Processes, RunningCapture, connected, running_processes
from tests.support.waiting import eventually

RESPONSES, INFER = "/v1/responses", "/v2/models/m/infer"
INFER_BY_GRPC = "/GRPCInferenceService/ModelInfer"  # without a package, as the backends here have a model
WORKLOADS = f"""
  responses:
    match: {{path: {RESPONSES}}}
    stateless: true
    baseline: cloud
    candidate: onprem
    shadow: {{same_side: 0}}
  kserve: {{match: {{path: {INFER}}}, task: auto, baseline: cloud, candidate: onprem, shadow: {{same_side: 0}}}}
  triton: {{match: {{path: {INFER_BY_GRPC}}}, task: auto, baseline: cloud, candidate: onprem, shadow: {{same_side: 0}}}}
"""


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with running_processes(tmp_path_factory.mktemp("copies"), WORKLOADS) as made:
        yield made


@pytest.fixture
async def setup(processes: Processes) -> AsyncIterator[RunningCapture]:
    async with connected(processes) as made:
        yield made


async def post(setup: RunningCapture, path: str, body: bytes, **headers: str) -> None:
    url = f"http://{setup.processes.config.envoy.listen}{path}"
    async with setup.client.post(url, data=body, headers={"content-type": "application/json", **headers}) as response:
        assert response.status == 200, await response.read()


async def covered(setup: RunningCapture, workload: str, **expected: int) -> None:
    """Wait until the coverage of a workload has at least these counts."""
    stream = redis_keys.WorkloadKeys(workload).outcomes

    async def reached() -> bool:
        flushes = [decode_outcomes(entry[b"o"]) for _, entry in await setup.redis.xrange(stream)]
        return all(sum(one.coverage.get(name, 0) for one in flushes) >= n for name, n in expected.items())

    await eventually(reached)


async def test_a_remote_tool_is_called_once_and_its_token_is_at_its_backend_only(setup: RunningCapture) -> None:
    tool = {"type": "mcp", "server_url": "https://crm.example/mcp", "authorization": "TOKEN-OF-A-TOOL"}
    await post(setup, RESPONSES, json.dumps({"model": "m", "input": "x", "tools": [tool]}).encode())
    await post(setup, RESPONSES, json.dumps({"model": "m", "input": "x", "tools": [{"type": "web_search"}]}).encode())
    await covered(setup, "responses", captured=2, gives_credential=1, has_effects=1)
    assert len(setup.cloud.received) == 2
    assert setup.onprem.received == []
    for key in [key async for key in setup.redis.scan_iter()]:
        if await setup.redis.type(key) == b"stream":
            assert b"TOKEN-OF-A-TOOL" not in repr(await setup.redis.xrange(key)).encode()


async def test_a_turn_that_names_an_earlier_response_is_no_error_of_the_candidate(setup: RunningCapture) -> None:
    for turn in range(5):
        await post(setup, RESPONSES, json.dumps({"model": "m", "input": f"turn {turn}"}).encode())
        body = {"model": "m", "input": "and?", "previous_response_id": f"resp_{turn}"}
        await post(setup, RESPONSES, json.dumps(body).encode())
    await covered(setup, "responses", captured=10, needs_state=5, paired=5)
    assert len(setup.onprem.received) == 5
    assert {json.loads(one.body)["store"] for one in setup.onprem.received} == {False}
    assert all("store" not in json.loads(one.body) for one in setup.cloud.received)


async def test_the_header_that_splits_a_binary_body_is_copied(setup: RunningCapture) -> None:
    head = b'{"inputs":[]}'
    await post(
        setup,
        INFER,
        head + b"\x01\x02",
        **{"content-type": "application/octet-stream", "inference-header-content-length": str(len(head))},
    )
    await eventually(lambda: len(setup.onprem.received) == 1)
    copy = setup.onprem.last
    assert (copy.body, copy.headers["inference-header-content-length"]) == (head + b"\x01\x02", str(len(head)))


async def test_a_call_of_grpc_is_not_copied_and_counts_as_such(setup: RunningCapture) -> None:
    await post(setup, INFER_BY_GRPC, b"\0\0\0\0\x02\x0a\0", **{"content-type": "application/grpc"})
    await covered(setup, "triton", captured=1, grpc=1)
    assert setup.onprem.received == []


async def test_a_request_with_a_header_that_opts_out_is_neither_copied_nor_kept(setup: RunningCapture) -> None:
    body = json.dumps({"model": "m", "input": "OF-ONE-WHO-OPTS-OUT"}).encode()
    await post(setup, RESPONSES, body, **{"x-no-store": "1"})
    await covered(setup, "responses", captured=1, opted_out=1)
    assert setup.onprem.received == []
    assert await setup.redis.exists(redis_keys.WorkloadKeys("responses").pairs) == 0


async def test_a_refused_copy_counts_once_and_affects_no_later_copy(setup: RunningCapture) -> None:
    for status, refused in ((401, 5), (200, 5)):
        setup.onprem.behaviour, setup.onprem.status = ("status", status) if status != 200 else ("json", status)
        for _ in range(5):
            await setup.ask()
        counts = await setup.counted(Side.CANDIDATE, Origin.SHADOW, 5 if status == 401 else 10)
        assert counts.errors == refused
    assert (await setup.counted(Side.CANDIDATE, Origin.SHADOW, 10)).errors == 5


async def test_a_failing_candidate_costs_the_baseline_one_request_for_each_of_the_clients(
    setup: RunningCapture,
) -> None:
    setup.processes.candidate_percent(100)
    setup.onprem.behaviour, setup.onprem.status = "status", 500
    for _ in range(5):
        await setup.ask()
    await setup.covered(captured=5, not_comparable=5)
    assert len(setup.cloud.received) == 5


async def test_copies_pause_when_the_candidate_answers_429_which_is_no_error_of_it(tmp_path: Path) -> None:
    with running_processes(tmp_path) as processes:  # of its own, because the pause lasts
        async with connected(processes) as setup:
            setup.onprem.behaviour, setup.onprem.status = "status", 429
            await setup.ask()
            await setup.covered(tee_failed=1)
            for _ in range(3):
                await setup.ask()
            await setup.covered(captured=4, cool_down=3)
            assert len(setup.onprem.received) == 1
            counts = await setup.side(Side.CANDIDATE, Origin.SHADOW)
            assert (counts.requests, counts.errors) == (0, 0)
            replies = [reply for one in await setup.outcomes() for reply in one.local_replies]
            assert [(reply.side, dict(reply.kinds)) for reply in replies] == [
                (Side.CANDIDATE, {"copy_rate_limited": 1})
            ]


async def test_the_share_of_requests_that_the_candidate_can_serve_is_known_from_copies(setup: RunningCapture) -> None:
    """Every eighth prompt is longer than the candidate's context. No client notices, and the share is exact."""
    setup.onprem.most_bytes = 4096
    for batch in range(10):
        prompts = ["x" * (8192 if n == batch % 8 else 10) for n in range(8)]
        posts = [setup.post(messages=[{"role": "user", "content": prompt}]) for prompt in prompts]
        responses = await asyncio.gather(*posts)
        assert [response.status for response in responses] == [200] * 8
        await asyncio.gather(*(response.read() for response in responses))
        await setup.covered(captured=8 * (batch + 1))  # so that no more than eight copies are under way

    async def measured() -> bool:
        totals = Totals()
        for flush in await setup.outcomes():
            totals = totals.with_flush(flush, 0, 0)
        found = movable_share(totals.coverage, totals.error_kinds, totals.live_answers)
        return found is not None and found.requests == 80 and abs(found.share - 7 / 8) < 0.01

    await eventually(measured)


async def test_an_answer_after_a_long_silence_makes_a_pair(setup: RunningCapture) -> None:
    """The connection to extproc outlives a silence that is longer than several of Envoy's pings."""
    setup.cloud.delay = 11
    await asyncio.gather(*(setup.ask() for _ in range(2)))
    await setup.covered(captured=2, paired=2)
