"""Waits for an asyncio event with a time limit."""

from __future__ import annotations

import asyncio


async def wait_until_set(event: asyncio.Event, timeout_s: float) -> bool:
    """Wait until ``event`` is set, for at most ``timeout_s`` seconds. Return whether the event was set.

    ``asyncio.wait_for`` is not used: in Python 3.11 it can lose a cancellation that arrives together with the event.
    """
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
