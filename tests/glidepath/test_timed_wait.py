"""Waiting for an event with a time limit."""

from __future__ import annotations

import asyncio

import pytest

from glidepath.timed_wait import wait_until_set


async def test_an_event_that_is_set_ends_the_wait() -> None:
    event = asyncio.Event()
    asyncio.get_running_loop().call_soon(event.set)
    assert await wait_until_set(event, 30)


async def test_the_time_limit_ends_the_wait() -> None:
    assert not await wait_until_set(asyncio.Event(), 0.001)


async def test_a_cancellation_that_arrives_with_the_event_is_not_lost() -> None:
    event = asyncio.Event()
    task = asyncio.create_task(wait_until_set(event, 30))
    await asyncio.sleep(0)
    event.set()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
