"""Ctrl-C and SIGTERM, for a process that starts children and then runs a loop: neither may be lost in between."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """A context manager: inside it both signals raise KeyboardInterrupt, or call what ``calls`` says instead.

    ``asked`` remembers a signal: Python drops a KeyboardInterrupt that is raised in a finalizer.
    """

    def __init__(self) -> None:
        self.asked = False
        self._action: Callable[[], object] | None = None
        self._before: list[Any] = []

    def _signalled(self, _: int, __: FrameType | None) -> None:
        self.asked = True
        if self._action is None:
            raise KeyboardInterrupt
        self._action()

    @contextmanager
    def calls(self, action: Callable[[], object]) -> Iterator[None]:
        """Call ``action`` for a signal; raises KeyboardInterrupt at once if there was one already."""
        before, self._action = self._action, action
        try:
            if self.asked:
                raise KeyboardInterrupt
            yield
        finally:
            self._action = before

    def __enter__(self) -> Interrupt:
        self._before = [signal.signal(number, self._signalled) for number in SIGNALS]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for number, handler in zip(SIGNALS, self._before, strict=True):
            signal.signal(number, handler)
