"""Read the lines of a file or a pipe. For a pipe, also find out whether the next line can be read without waiting."""

from __future__ import annotations

import os
import select
from typing import Protocol

_READ = 1 << 16


class Lines(Protocol):
    """A binary file, or any other object with a ``readline`` method."""

    def readline(self, limit: int, /) -> bytes: ...


class PipeLines:
    """The lines from a file descriptor whose writer may pause: a pipe (for example from ``tail -f``) or a terminal."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffer = bytearray()
        self._searched = 0  # number of bytes at the start of the buffer that contain no line end
        self._at_end = False

    def readline(self, limit: int, /) -> bytes:
        """Wait for the next line. Return it with its newline, cut at ``limit`` bytes, or b"" at the end of the file."""
        while not self._at_end and len(self._buffer) < limit and not self._has_line():
            self._read()
        end = self._buffer.find(b"\n", self._searched) + 1 or len(self._buffer)
        line = bytes(self._buffer[: min(end, limit)])
        del self._buffer[: len(line)]
        self._searched = 0
        return line

    def ready(self) -> bool:
        """Return whether ``readline`` would return at once, because a line or the end of the file has arrived."""
        while not self._at_end and not self._has_line():
            if not select.select([self._descriptor], [], [], 0)[0]:
                return False
            self._read()
        return True

    def _has_line(self) -> bool:
        if self._buffer.find(b"\n", self._searched) >= 0:
            return True
        self._searched = len(self._buffer)
        return False

    def _read(self) -> None:
        piece = os.read(self._descriptor, _READ)
        self._buffer += piece
        self._at_end = not piece
