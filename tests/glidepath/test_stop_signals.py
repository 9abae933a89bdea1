"""A process drains at the first signal that asks it to stop, and when its terminal closes."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from glidepath.stop_signals import on_stop_signals, stop_signals

SHOW = "from glidepath.stop_signals import stop_signals; print([s.name for s in stop_signals()])"


class Handlers:
    """A stand-in for an event loop that stores the signal handlers, so that a test can call them."""

    def __init__(self) -> None:
        self.by_signal: dict[int, Callable[[], None]] = {}
        self.called: list[str] = []
        on_stop_signals(self, lambda: self.called.append("first"), lambda: self.called.append("again"))

    def add_signal_handler(self, sig: int, callback: Callable[[], None], /) -> None:
        self.by_signal[sig] = callback


@pytest.mark.parametrize("first", stop_signals())
@pytest.mark.parametrize("later", stop_signals())
def test_a_second_signal_ends_the_process_unless_it_is_a_second_end_of_the_terminal(
    first: signal.Signals, later: signal.Signals
) -> None:
    handlers = Handlers()
    handlers.by_signal[first]()
    assert handlers.called == ["first"]
    handlers.by_signal[later]()
    assert handlers.called == (["first"] if later is signal.SIGHUP else ["first", "again"])


@pytest.mark.process
@pytest.mark.parametrize(("command", "expected"), [([], True), (["nohup"], False)])
def test_a_process_that_shall_outlive_its_terminal_does(command: list[str], expected: bool) -> None:
    shown = subprocess.run(
        [*command, sys.executable, "-c", SHOW], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert ("SIGHUP" in shown) is expected
    assert "SIGTERM" in shown
