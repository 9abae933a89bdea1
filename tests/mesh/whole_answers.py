"""Whole answers have a longer limit than streams (``answer_timeout``): a slow whole answer causes no rescue."""

from __future__ import annotations

from tests.mesh.mesh_under_test import Parts
from tests.mesh.request_reading import conversation
from tests.mesh.traffic import Caller

LIMITS = {"first_byte_timeout": "1s", "answer_timeout": "100s"}
_SLOW_S = 3.0


async def check_whole_answers(among: Parts, caller: Caller) -> None:
    await among.shares.set(100)
    assert await caller.served(conversation(0)) == "onprem"
    among.onprem.delay = _SLOW_S
    among.clear()
    assert await caller.served(conversation(0)) == "onprem"
    assert among.own.received == []
    assert await caller.served({**conversation(0), "stream": True}) == "own"
    assert len(among.onprem.received) == 2
