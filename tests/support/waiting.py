"""Wait for a condition by polling it."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

SHARE = 0.1  # a pause lasts at most this share of the time waited so far, so that polling takes little of a processor
LONGEST_PAUSE_S = 0.1
CALL_S = 150.0  # most seconds of one call of a condition; a command that it runs has 60


async def eventually(
    condition: Callable[[], bool | Awaitable[bool]], within: float = 60, what: str | Callable[[], str] = ""
) -> float:
    """Poll ``condition`` and return the seconds until it is true. Raises AssertionError after ``within`` seconds.

    ``what``: the condition in words, or a function that returns these words with the last observation.

    The default is long because a busy machine may be twenty times as slow. Set a shorter time only if a wrong
    implementation would meet the condition too, but later.
    """
    began = time.monotonic()
    while True:
        held = condition()
        if inspect.isawaitable(held):
            held = await _answered(held, condition)
        took = time.monotonic() - began
        if held:
            return took
        assert took < within, f"not within {within:g} s: {_words(what, condition)}"
        await asyncio.sleep(min(LONGEST_PAUSE_S, max(0.001, SHARE * took)))


async def _answered(call: Awaitable[bool], condition: Callable[[], object]) -> bool:
    """Return the result of a call of the condition. Raises AssertionError if there is none after CALL_S seconds.

    The call is not waited for then, because it may not end by its cancellation either.
    """
    task = asyncio.ensure_future(call)
    try:
        await asyncio.wait({task}, timeout=CALL_S)
        assert task.done(), f"no answer within {CALL_S:g} s: {_words('', condition)}"
        return task.result()
    finally:
        task.cancel()


def _words(what: str | Callable[[], str], condition: Callable[[], object]) -> str:
    return (what() if callable(what) else what) or inspect.getsource(condition).strip()
