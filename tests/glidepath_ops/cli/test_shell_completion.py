"""Shell completion: of commands, and of the options of the command that is typed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from glidepath_ops.cli.command_line import wanted_command


@pytest.mark.process
@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("glidepath stat", ["status"]),
        ("glidepath status --js", ["--json"]),
        ("glidepath rollback --per", ["--percent"]),
    ],
)
def test_a_line_is_completed(line: str, found: list[str]) -> None:
    variables = {"_GLIDEPATH_COMPLETE": "complete_bash", "_TYPER_COMPLETE_ARGS": line}
    variables |= {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
    program = "import sys; sys.argv = ['glidepath']; from glidepath_ops.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == found


def test_only_the_command_of_the_line_is_loaded() -> None:
    assert wanted_command(["-h", "status", "x"], "") == "status"
    assert wanted_command([], "glidepath pairs list --f") == "pairs"
    assert wanted_command([], "glidepath ") is None
