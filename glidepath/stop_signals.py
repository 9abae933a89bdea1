"""The signals that ask a process to stop: SIGTERM, Ctrl-C, and the end of its terminal."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Protocol


class SignalLoop(Protocol):
    """The part of asyncio's event loop that handles signals."""

    def add_signal_handler(self, sig: int, callback: Callable[[], None], /) -> None: ...


def stop_signals() -> tuple[signal.Signals, ...]:
    """Return the signals that ask this process to stop.

    SIGHUP is not among them if the process was started with it ignored, as ``nohup`` does.
    """
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return (signal.SIGTERM, signal.SIGINT) if ignored else (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def on_stop_signals(loop: SignalLoop, first: Callable[[], None], again: Callable[[], None]) -> None:
    """Call ``first`` at the first signal that asks to stop, and ``again`` at every later SIGTERM or Ctrl-C.

    A later SIGHUP does nothing: when a terminal closes, both the kernel and the shell may send one.
    """
    asked = False

    def stop() -> None:
        nonlocal asked
        if asked:
            again()
        else:
            asked = True
            first()

    def hang_up() -> None:
        if not asked:
            stop()

    for number in stop_signals():
        loop.add_signal_handler(number, hang_up if number is signal.SIGHUP else stop)
