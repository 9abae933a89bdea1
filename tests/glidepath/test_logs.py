"""Tests of the log lines: logging raises no error, and lines that were lost are counted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from glidepath.logs import LogLines


def test_a_line_that_cannot_be_written_raises_no_error() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    LogLines(full).msg("lost")
    os.close(full)
    LogLines(full).msg("lost, too: the descriptor is closed")


def test_the_first_line_after_lost_lines_says_how_many_were_lost(tmp_path: Path) -> None:
    path = tmp_path / "log"
    target, full = os.open(path, os.O_RDWR | os.O_CREAT), os.open("/dev/full", os.O_WRONLY)
    descriptor = os.dup(full)
    lines = LogLines(descriptor)
    for _ in range(3):
        lines.msg("lost")
    os.dup2(target, descriptor)
    for text in ("kept", "kept, too"):
        lines.msg(text)
    for one in (target, full, descriptor):
        os.close(one)
    lost, *rest = path.read_text().splitlines()
    assert json.loads(lost) == {"event": "log_lines_lost", "level": "warning", "lines": 3}
    assert rest == ["kept", "kept, too"]


@pytest.mark.process
def test_a_line_that_was_written_in_part_does_not_spoil_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "log"
    program = f"""
import os, resource
from glidepath.logs import LogLines
lines = LogLines(os.open({str(path)!r}, os.O_WRONLY | os.O_CREAT))
resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
lines.msg("0123456789abcdef")
lines.msg("lost")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
lines.msg("kept")
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    part, lost, kept = path.read_text().splitlines()
    assert (part, json.loads(lost)["lines"], kept) == ("0123456789", 2, "kept")


@pytest.mark.process
@pytest.mark.parametrize("standard_error", ["2>/dev/full", "2>&-"])
def test_a_process_without_a_usable_standard_error_goes_on(standard_error: str) -> None:
    program = (
        "import structlog; from glidepath.logs import configure_logging; configure_logging('x'); "
        "structlog.get_logger().warning('some_event'); print('went on')"
    )
    command = f'{sys.executable} -c "{program}" {standard_error}'
    assert subprocess.check_output(command, shell=True, text=True, timeout=60) == "went on\n"


@pytest.mark.process
def test_a_warning_in_a_command_is_no_part_of_its_result() -> None:
    program = "from glidepath.logs import get_logger; get_logger().warning('some_event'); print('the result')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "the result\n"
    assert "some_event" in done.stderr
