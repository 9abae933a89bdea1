"""``glidepath erase`` finds all data that Redis has about a user or a request: a real Envoy, extproc and Redis."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from glidepath.pair_scores import ScoredPair
from glidepath.pairs import PairKind
from glidepath.protobuf_codec import decode_pair, encode_pair, encode_scored
from glidepath.redis_keys import WorkloadKeys
from tests.support.answer_pairs import pair
from tests.support.commands import run_cli
from tests.support.running_capture import NAMES, Processes, RunningCapture, connected, running_processes
from tests.support.waiting import eventually

COMPLETIONS = "/v1/completions"
WORKLOADS = f"""
  completions:
    match: {{path: {COMPLETIONS}}}
    baseline: cloud
    candidate: onprem
    sticky: {{body: user}}
    shadow: {{same_side: 0}}
"""


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with running_processes(tmp_path_factory.mktemp("erase"), WORKLOADS) as made:
        yield made


@pytest.fixture
async def setup(processes: Processes) -> AsyncIterator[RunningCapture]:
    async with connected(processes) as made:
        yield made


async def erase(setup: RunningCapture, *arguments: str) -> Any:
    command = ("erase", "-c", str(setup.processes.file), "--json", *arguments)
    return json.loads(await asyncio.to_thread(run_cli, *command))


async def stored(setup: RunningCapture, keys: WorkloadKeys, number: int) -> list[bytes]:
    async def reached() -> bool:
        return int(await setup.redis.xlen(keys.pairs)) >= number

    await eventually(reached)
    return [fields[b"p"] for _, fields in await setup.redis.xrange(keys.pairs)]


async def post(setup: RunningCapture, path: str, body: Any, **headers: str) -> None:
    url = f"http://{setup.processes.config.envoy.listen}{path}"
    async with setup.client.post(url, json=body, headers=headers) as response:
        assert response.status == 200


async def test_all_data_of_a_user_is_erased_and_none_of_another(setup: RunningCapture) -> None:
    for user in ("ann", "ben", "ann"):
        await post(setup, "/v1/chat/completions", {"messages": []}, **{"x-user-id": user})
    # The pairs come in any order: ann is the user with two of them.
    raw = {(found := decode_pair(one)).id: (found, one) for one in await stored(setup, NAMES, 3)}
    (anns_value, number) = Counter(found.sticky for found, _ in raw.values()).most_common(1)[0]
    anns = [found for found, _ in raw.values() if found.sticky == anns_value]
    assert number == 2
    for one in anns:
        result = ScoredPair(one.id, "chat", PairKind.CROSS, 1, 2, True, sticky=one.sticky)
        await setup.redis.xadd(NAMES.results, {"r": encode_scored(result), "e": "0-0"})
    await setup.redis.hset(NAMES.kept, anns[0].id, raw[anns[0].id][1])
    await setup.redis.zadd(NAMES.kept_times, {anns[0].id: 1})
    await setup.redis.hset(NAMES.labels, anns[0].id, "{}")
    await setup.redis.zadd(NAMES.label_times, {anns[0].id: 1})
    nothing = {"pairs": 0, "results": 0, "kept": 0, "labels": 0, "feedback": 0, "unreadable": 0}
    assert (await erase(setup, "--user", "carl")) == {"chat": nothing, "completions": nothing}
    assert (await erase(setup, "--user", "ann"))["chat"] == {
        "pairs": 2,
        "results": 2,
        "kept": 1,
        "labels": 1,
        "feedback": 0,
        "unreadable": 0,
    }
    assert (await erase(setup, "--user", "ann"))["chat"] == nothing
    (left,) = await stored(setup, NAMES, 1)
    assert decode_pair(left).sticky != anns[0].sticky
    assert await setup.redis.exists(NAMES.kept, NAMES.labels, NAMES.kept_times, NAMES.label_times) == 0


async def test_a_user_whose_value_stands_in_the_body_is_found(setup: RunningCapture) -> None:
    for user in ("änn-ßé", "ben"):
        await post(setup, COMPLETIONS, {"prompt": "x", "user": user})
    await stored(setup, WorkloadKeys("completions"), 2)
    assert (await erase(setup, "--user", "änn-ßé", "-w", "completions"))["completions"]["pairs"] == 1


async def test_one_request_is_found_by_its_id(setup: RunningCapture) -> None:
    for request_id in ("mine", "mine", "other"):
        await post(setup, "/v1/chat/completions", {"messages": []}, **{"x-request-id": request_id})
    await stored(setup, NAMES, 3)
    assert (await erase(setup, "--request-id", "mine", "-w", "chat"))["chat"]["pairs"] == 2
    assert len(await stored(setup, NAMES, 1)) == 1


async def test_a_workload_that_has_left_the_configuration_is_erased_too(setup: RunningCapture) -> None:
    gone, other = WorkloadKeys("gone"), WorkloadKeys("other")
    for keys, request in ((gone, "r1"), (gone, "r2"), (other, "r2")):
        await setup.redis.xadd(keys.pairs, {"p": encode_pair(pair(request, workload=keys.workload))})
    found = await erase(setup, "--request-id", "r1")
    assert {name: one["pairs"] for name, one in found.items() if one["pairs"]} == {"gone": 1}
    assert (await erase(setup, "--request-id", "r2", "-w", "gone"))["gone"]["pairs"] == 1
    assert await setup.redis.xlen(other.pairs) == 1
