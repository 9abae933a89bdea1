"""Show where the tasks of asyncio wait, in the report of a test that exceeded its time limit.

The stack of the thread shows only the event loop. ``Task.get_stack`` shows only the first function of a waiting task.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Any


def waiting_tasks() -> str:
    """Return each unfinished task of all loops, with the places at which its functions wait, the innermost last."""
    everything = gc.get_objects()  # asyncio.all_tasks knows only the tasks of a loop that runs
    tasks = [one for one in everything if isinstance(one, asyncio.Task) and not one.done()]
    return "\n".join(f"{task.get_name()}\n" + "\n".join(f"  {place}" for place in _places(task)) for task in tasks)


def _places(task: asyncio.Task[Any]) -> Iterator[str]:
    waits_for: Any = task.get_coro()
    while waits_for is not None:
        frame = _first_of(waits_for, "cr_frame", "gi_frame", "ag_frame")
        if frame is None:
            yield repr(waits_for)[:200]
            return
        yield f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}"
        waits_for = _first_of(waits_for, "cr_await", "gi_yieldfrom", "ag_await")


def _first_of(thing: object, *names: str) -> Any:
    return next((found for name in names if (found := getattr(thing, name, None)) is not None), None)
