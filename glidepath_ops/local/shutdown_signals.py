"""Handles the signals to stop, without losing one, in a process that starts child processes and runs a loop."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from glidepath.stop_signals import stop_signals


class Interrupt:
    """A context manager in which a signal to stop raises KeyboardInterrupt, or calls the action given to ``calls``.

    ``received`` records that a signal arrived, because Python drops a KeyboardInterrupt that is raised in a finalizer.
    """

    def __init__(self) -> None:
        self.received = False
        self._action: Callable[[], object] | None = None
        self._before: dict[signal.Signals, Any] = {}

    def _signalled(self, number: int, _: FrameType | None) -> None:
        if self.received and number == signal.SIGHUP:  # the kernel and the shell may both send one
            return
        self.received = True
        if self._action is None:
            raise KeyboardInterrupt
        self._action()

    @contextmanager
    def calls(self, action: Callable[[], object]) -> Iterator[None]:
        """Within this context, call ``action`` when a signal arrives, instead of raising KeyboardInterrupt.

        Raises KeyboardInterrupt at once if a signal was received before.
        """
        before, self._action = self._action, action
        try:
            if self.received:
                raise KeyboardInterrupt
            yield
        finally:
            self._action = before

    def __enter__(self) -> Interrupt:
        self._before = {number: signal.signal(number, self._signalled) for number in stop_signals()}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
