"""A call that loses the cancellation of its task, as a call of redis-py may."""

from __future__ import annotations

import asyncio
from contextlib import suppress


class SwallowsCancellation:
    """``await call()`` waits until its task is cancelled, and then returns. Later calls return at once."""

    def __init__(self) -> None:
        self.calls, self.called = 0, asyncio.Event()

    async def __call__(self) -> None:
        self.calls += 1
        if self.calls == 1:
            self.called.set()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()


async def ends_after_a_lost_cancellation(task: asyncio.Task[None], call: SwallowsCancellation) -> bool:
    """Cancel the task during ``call``. Return whether this one cancellation ends the task within 60 s."""
    async with asyncio.timeout(60):
        await call.called.wait()
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=60)
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=1)
    return bool(done)
