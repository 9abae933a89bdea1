"""Tests that ``eventually`` ends with a clear error."""

from __future__ import annotations

import asyncio

import pytest

from tests.support import waiting
from tests.support.waiting import eventually


async def test_a_condition_that_stays_false_is_named() -> None:
    with pytest.raises(AssertionError, match="not within 0 s: the moon"):
        await eventually(lambda: False, within=0, what="the moon")


async def test_a_condition_that_never_answers_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "CALL_S", 0.05)
    others = asyncio.all_tasks()

    async def never() -> bool:
        await asyncio.Event().wait()
        return True

    with pytest.raises(AssertionError, match=r"no answer within 0\.05 s: .*eventually\(never\)|async def never"):
        await eventually(never)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == others


async def test_an_error_of_a_condition_is_raised() -> None:
    async def fails() -> bool:
        raise OSError("not there")

    with pytest.raises(OSError, match="not there"):
        await eventually(fails)
