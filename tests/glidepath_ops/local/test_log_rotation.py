"""Tests of the rotation of child processes' logs."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from glidepath_ops.local.child_process import Child
from glidepath_ops.local.log_rotation import CHECK_S, Rotator, rotate
from glidepath_ops.local.services import Service
from glidepath_ops.local.stack import Stack

pytestmark = pytest.mark.process


def quiet(log: Path) -> Child:
    child = Child("quiet", [sys.executable, "-c", ""], log)
    child.process.wait(60)
    return child


def test_a_log_that_is_too_long_moves_to_a_private_second_file(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    child = quiet(log)
    log.write_text("0123456789")
    assert not rotate(child, limit=10)
    assert rotate(child, limit=9)
    old = tmp_path / "x.log.1"
    assert (log.read_text(), old.read_text(), stat.S_IMODE(old.stat().st_mode)) == ("", "0123456789", 0o600)
    log.write_text("abcdefghij")
    assert rotate(child, limit=9)
    assert old.read_text() == "abcdefghij"


def test_a_process_goes_on_writing_at_the_beginning_of_its_emptied_log(tmp_path: Path) -> None:
    go = tmp_path / "go"
    program = (
        "import time, pathlib; print('x' * 100, flush=True)\n"
        f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.01)\n"
        "print('after', flush=True)"
    )
    with Child("writer", [sys.executable, "-c", program], tmp_path / "log") as child:
        child.wait_until(lambda: child.log.stat().st_size == 101)
        assert rotate(child, limit=50)
        go.touch()
        child.process.wait(60)
    assert child.log.read_text() == "after\n"
    assert child.tail() == "after"


def test_a_log_that_cannot_be_rotated_is_named_once_and_stays(tmp_path: Path) -> None:
    said: list[str] = []
    log = tmp_path / "x.log"
    with Stack() as stack:
        stack.services["x"] = Service("x", lambda: quiet(log), lambda: True)
        child = stack.restart("x")
        rotator = Rotator(stack, said.append, limit=5)
        log.write_text("0123456789")
        (tmp_path / "x.log.1").mkdir()
        rotator.tick(0)
        rotator.tick(CHECK_S)
        assert said == [f"{child.log}: cannot be rotated: Is a directory"]
        assert log.read_text() == "0123456789"
        (tmp_path / "x.log.1").rmdir()
        rotator.tick(CHECK_S + 1)
        assert log.read_text() == "0123456789"
        rotator.tick(2 * CHECK_S)
        assert log.read_text() == ""
