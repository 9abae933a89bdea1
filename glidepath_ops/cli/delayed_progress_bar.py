"""A progress bar on stderr for work that takes longer than two seconds. There is none if stderr is not a terminal."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

AFTER_S = 2.0
Advance = Callable[[int], None]


@contextmanager
def delayed_progress_bar(
    what: str, total: int | None, console: Console | None = None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Advance]:
    """Yield a function that the caller calls with the amount of work done since the last call.

    ``total``: the total amount of work; None if it is unknown. The bar also appears if the function is not called, such
    as during one long wait. Standard output is not used, because a command may write its result there, into a pipe.
    Only one bar can be shown at a time.
    """
    shown = console or Console(stderr=True)
    last = TimeElapsedColumn() if total is None else TimeRemainingColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), last)
    bar = Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal, redirect_stdout=False)
    task, began, done, ended, lock = bar.add_task(what, total=total), clock(), 0, False, threading.Lock()

    def show() -> None:
        with lock:
            if not ended and not bar.live.is_started:
                bar.start()

    def advance(more: int) -> None:
        nonlocal done
        done += more
        if clock() - began >= AFTER_S:
            show()
            bar.update(task, completed=done)

    timer = threading.Timer(AFTER_S, show)
    timer.daemon = True
    if shown.is_terminal:
        timer.start()
    try:
        yield advance
    finally:
        timer.cancel()
        with lock:
            ended = True
        bar.stop()


def bytes_of(file: BinaryIO) -> int | None:
    """Return the size of the file, or None for a pipe, whose length is unknown."""
    return os.fstat(file.fileno()).st_size or None


def lines_with_progress(file: BinaryIO, advance: Advance, most: int = -1) -> Iterator[bytes]:
    """Yield the lines of the file, and report their bytes to ``advance``. Lines longer than ``most`` come in parts."""
    while line := file.readline(most):
        advance(len(line))
        yield line
