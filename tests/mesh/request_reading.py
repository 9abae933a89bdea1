"""Checks on each mesh for a workload with a prefix, whose requests Envoy reads before it splits them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.mesh.mesh_under_test import Parts
from tests.mesh.traffic import Caller

PREFIX = {"match": {"path_prefix": "/v1"}, "sticky": None, "shadow": {"sample": 0}}


def conversation(number: int, turns: int = 1) -> dict[str, Any]:
    said = [{"role": "user", "content": f"question {number}"}]
    said += [{"role": "assistant", "content": "answer"}, {"role": "user", "content": "and now?"}] * (turns - 1)
    return {"model": "client-model", "messages": said}


async def check_the_reading(among: Parts, caller: Caller) -> None:
    await among.shares.set(100)
    assert await caller.served(conversation(0)) == "onprem"
    for path in ("/v1/files", "/v1/batches", "/v1/threads/t/runs"):
        assert await caller.served({"model": "client-model"}, path) == "own", path
    plain = {"model": "client-model", "input": "hello"}
    assert await caller.served({**plain, "store": False}, "/v1/responses") == "onprem"
    assert await caller.served({**plain, "store": False, "previous_response_id": "r"}, "/v1/responses") == "own"
    assert await caller.served(plain, "/v1/responses") == "own"
    await among.shares.set(50)
    first = [await caller.served(conversation(number)) for number in range(40)]
    assert 5 <= Counter(first)["onprem"] <= 35
    assert [await caller.served(conversation(number, 3)) for number in range(40)] == first
    received = [*among.own.received, *among.onprem.received]
    assert [name for one in received for name in one.headers if name.startswith("x-glidepath")] == []
    await among.shares.set(0)
    assert {await caller.served(conversation(number)) for number in range(10)} == {"own"}
