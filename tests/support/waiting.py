"""Waiting for a condition instead of sleeping."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable


async def eventually(condition: Callable[[], bool | Awaitable[bool]], within: float = 15, what: str = "") -> float:
    """Return the seconds it took until ``condition`` held; fail when it does not hold ``within`` seconds."""
    began = time.monotonic()
    while True:
        held = condition()
        if inspect.isawaitable(held):
            held = await held
        took = time.monotonic() - began
        if held:
            return took
        assert took < within, f"not within {within:g} s: {what or inspect.getsource(condition).strip()}"
        await asyncio.sleep(0.02)
