"""Limits the size of child processes' logs: a log that has grown too long is copied to ``NAME.1`` and emptied.

A child has its log open for appending, so it continues at the start of the emptied file.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

from glidepath_ops.local.child_process import Child
from glidepath_ops.local.private_files import FILE_MODE
from glidepath_ops.local.stack import Stack

MAX_LOG_BYTES = 10 * 2**20
CHECK_S = 5.0


def rotate(child: Child, limit: int = MAX_LOG_BYTES) -> bool:
    """Copy the child's log to ``NAME.1`` and empty it, if it exceeds ``limit`` bytes. Return whether this was done.

    Output that the child writes between the copy and the emptying is lost. Raises OSError if the disk is full; the log
    is then unchanged.
    """
    if not child.log.exists() or child.log.stat().st_size <= limit:
        return False
    old = child.log.with_name(f"{child.log.name}.1")
    descriptor = os.open(old, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    with child.log.open("r+b") as log, os.fdopen(descriptor, "wb") as copy:
        shutil.copyfileobj(log, copy)
        copy.flush()
        log.truncate(0)
    return True


class Rotator:
    """Rotates the logs of a stack. Its owner calls ``tick`` often. Every ``CHECK_S`` seconds, it checks the logs.

    For each log that cannot be rotated, it calls ``print_line`` once, until the log can be rotated again.
    """

    def __init__(self, stack: Stack, print_line: Callable[[str], None], limit: int = MAX_LOG_BYTES) -> None:
        self.stack, self.print_line, self.limit = stack, print_line, limit
        self._due = 0.0
        self._failed: set[str] = set()

    def tick(self, now: float) -> None:
        """Rotate the logs that are too long. ``now`` is the time of a monotonic clock in seconds."""
        if now < self._due:
            return
        self._due = now + CHECK_S
        for child in self.stack.children.values():
            try:
                rotate(child, self.limit)
                self._failed.discard(child.name)
            except OSError as error:
                if child.name not in self._failed:
                    self.print_line(f"{child.log}: cannot be rotated: {error.strerror}")
                self._failed.add(child.name)
