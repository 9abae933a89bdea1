"""Tests of the handling of Ctrl-C and SIGTERM."""

from __future__ import annotations

import signal

import pytest

from glidepath_ops.local.shutdown_signals import Interrupt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_signal_interrupts(number: signal.Signals) -> None:
    with Interrupt(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


def test_an_action_replaces_the_exception() -> None:
    seen: list[str] = []
    with Interrupt() as interrupt, interrupt.calls(lambda: seen.append("outer")):
        with interrupt.calls(lambda: seen.append("inner")):
            signal.raise_signal(signal.SIGTERM)
        interrupt.received = False
        signal.raise_signal(signal.SIGINT)
    assert seen == ["inner", "outer"]


def test_a_signal_that_was_dropped_is_remembered() -> None:
    with Interrupt() as interrupt:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt), interrupt.calls(lambda: None):
            pytest.fail("must not begin")


def test_the_previous_handlers_are_restored() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interrupt():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
