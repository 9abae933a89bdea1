"""Lines of a file or pipe, and whether another one is there already."""

from __future__ import annotations

import os
import select
from typing import Protocol

_READ = 1 << 16


class Lines(Protocol):
    """What any binary file has."""

    def readline(self, limit: int, /) -> bytes: ...


class PipeLines:
    """Lines of a file descriptor that may pause: a pipe, a terminal, ``tail -f``."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._held = bytearray()
        self._searched = 0  # bytes of what is held that are known to hold no line's end
        self._over = False

    def readline(self, limit: int, /) -> bytes:
        """The next line with its end, or ``limit`` bytes of it; empty at the end. Waits."""
        while not self._over and len(self._held) < limit and not self._has_line():
            self._read()
        end = self._held.find(b"\n", self._searched) + 1 or len(self._held)
        line = bytes(self._held[: min(end, limit)])
        del self._held[: len(line)]
        self._searched = 0
        return line

    def ready(self) -> bool:
        """Whether ``readline`` has something to give at once, if only the end."""
        while not self._over and not self._has_line():
            if not select.select([self._descriptor], [], [], 0)[0]:
                return False
            self._read()
        return True

    def _has_line(self) -> bool:
        if self._held.find(b"\n", self._searched) >= 0:
            return True
        self._searched = len(self._held)
        return False

    def _read(self) -> None:
        piece = os.read(self._descriptor, _READ)
        self._held += piece
        self._over = not piece
