"""A progress bar on stderr for work that takes longer than two seconds; none if stderr is no terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

AFTER_S = 2.0
Advance = Callable[[int], None]


@contextmanager
def late_progress(
    what: str, total: int | None, console: Console | None = None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Advance]:
    """Yield a function that is told how much more of ``total`` is done. ``total``: None if it is not known."""
    shown = console or Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal)
    task, began, done, started = bar.add_task(what, total=total), clock(), 0, False

    def advance(more: int) -> None:
        nonlocal done, started
        done += more
        if not started and clock() - began >= AFTER_S:
            bar.start()
            started = True
        if started:
            bar.update(task, completed=done)

    try:
        yield advance
    finally:
        if started:
            bar.stop()
