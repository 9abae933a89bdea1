"""The progress bar of slow commands, even during one long wait. It is never written to standard output."""

from __future__ import annotations

import io
import sys
import time

import pytest
from rich.console import Console

from glidepath_ops.cli import delayed_progress_bar as module
from glidepath_ops.cli.delayed_progress_bar import bytes_of, delayed_progress_bar, lines_with_progress


def test_a_wait_without_reported_progress_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AFTER_S", 0.0)
    screen = io.StringIO()
    deadline = time.monotonic() + 20
    with delayed_progress_bar("waiting for the scorer", None, Console(file=screen, force_terminal=True, width=60)):
        while "waiting for the scorer" not in screen.getvalue():
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_standard_output_is_the_same_while_a_bar_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AFTER_S", 0.0)
    before = sys.stdout
    with delayed_progress_bar("scoring", 10, Console(file=io.StringIO(), force_terminal=True)) as advance:
        advance(5)
        assert sys.stdout is before


def test_work_that_fails_leaves_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AFTER_S", 0.0)
    screen = io.StringIO()

    def work() -> None:
        with delayed_progress_bar("probing", 2, Console(file=screen, force_terminal=True)) as advance:
            advance(1)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        work()
    assert "\x1b[?25h" in screen.getvalue()  # the cursor is shown again


def test_the_bytes_of_a_file_are_reported_as_its_lines_are_read() -> None:
    advances: list[int] = []
    lines = list(lines_with_progress(io.BytesIO(b"one\ntwo\nlong line\n"), advances.append, 6))
    assert b"".join(lines) == b"one\ntwo\nlong line\n"
    assert sum(advances) == 18
    assert max(map(len, lines)) == 6


def test_a_pipe_has_no_known_end() -> None:
    with open("/dev/null", "rb") as file:
        assert bytes_of(file) is None
