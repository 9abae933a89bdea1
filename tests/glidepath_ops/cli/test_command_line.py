"""The CLI's entry point: help lines, and the exit status if standard output cannot be written."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from glidepath.errors import InputError
from glidepath_ops.cli.command_line import COMMANDS, build_app
from tests.support.commands import run_cli
from tests.support.console_client import console_config
from tests.support.console_data import status, store_status

pytestmark = pytest.mark.process

RUN = (sys.executable, "-c", "from glidepath_ops.cli import main; main()")
FULL = "glidepath: standard output: cannot be written: No space left on device\n"


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    line = {"t": 1, "ok": True, "latency_ms": 5, "agreement": 0.9}
    path.write_text("".join(json.dumps(line | {"side": side}) + "\n" for side in ("baseline", "candidate")))
    return path


@pytest.fixture
def commands(config: Path, events: Path) -> tuple[tuple[str, ...], ...]:
    return (
        ("--help",),
        ("plan", "-c", str(config)),
        ("judge", "-c", str(config), "-w", "chat", str(events)),
        ("calibrate", "-c", str(config), "-w", "chat", "--from", str(events)),
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_each_commands_help_has_its_line_from_the_list_of_commands(name: str) -> None:
    shown = CliRunner().invoke(build_app(name), [name, "--help"], env={"COLUMNS": "200"})
    assert COMMANDS[name][1] in shown.output


def test_a_full_disk_is_one_line_and_exit_2(commands: tuple[tuple[str, ...], ...]) -> None:
    for command in commands:
        with open("/dev/full", "w") as full:
            done = subprocess.run([*RUN, *command], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (2, FULL)


def test_a_reader_that_closed_the_pipe_is_not_reported(commands: tuple[tuple[str, ...], ...]) -> None:
    for command in commands:
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run([*RUN, *command], stdout=write, stderr=subprocess.PIPE, text=True, timeout=60)
        os.close(write)
        assert (done.returncode, done.stderr) == (1, "")


async def test_an_error_of_the_output_is_not_called_an_error_of_redis(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    console_config(tmp_path, valid_yaml, redis_url)
    await store_status(redis_client, status())
    watch = (*RUN, "watch", "--json", "-c", str(tmp_path / "glidepath.yaml"))
    read, write = os.pipe()
    os.close(read)
    full = os.open("/dev/full", os.O_WRONLY)
    for output, expected in ((write, (1, "")), (full, (2, FULL))):
        done = await asyncio.to_thread(
            subprocess.run, watch, stdout=output, stderr=subprocess.PIPE, text=True, timeout=60
        )
        assert (done.returncode, done.stderr) == expected
        os.close(output)


def closed(*command: str) -> tuple[int, str]:
    line = ["sh", "-c", 'exec "$@" >&-', "sh", *RUN, *command]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


def test_results_lost_to_a_closed_standard_output_are_one_line_and_exit_2(
    commands: tuple[tuple[str, ...], ...], tmp_path: Path
) -> None:
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text('{"id": "a", "request": {}, "baseline": "yes", "candidate": "yes"}\n')
    for command in (*commands, ("score", str(pairs))):
        assert closed(*command) == (2, "glidepath: standard output: cannot be written: it is closed\n")


def test_a_service_runs_without_a_standard_output() -> None:
    assert closed("extproc", "--help") == (0, "")


@pytest.mark.parametrize("arguments", [("--version",), ("--version", "status")])
def test_the_version_is_printed_and_ends_the_command(arguments: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(build_app(None), list(arguments))
    assert (shown.exit_code, shown.output) == (0, f"glidepath {version('glidepath')}\n")


@pytest.mark.parametrize("arguments", [("-h",), ("status", "-h"), ("pairs", "-h"), ("pairs", "list", "-h")])
def test_h_shows_the_help(arguments: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(build_app(arguments[0]), list(arguments))
    assert shown.exit_code == 0
    assert "Usage:" in shown.output


def test_the_help_shows_no_type_for_a_switch_and_a_word_for_other_values() -> None:
    shown = subprocess.run([*RUN, "pairs", "list", "--help"], capture_output=True, text=True, timeout=60).stdout
    columns = {words[0]: words[1:] for line in shown.splitlines() if (words := line.strip("│ ").split())}
    assert columns["--worst"][0] == "Sort"
    assert columns["--help"][:2] == ["-h", "Show"]
    assert columns["--fault"][0] == "TEXT"  # a list of texts
    assert columns["--count"][:2] == ["-n", "NUMBER"]
    assert columns["--side"][0] == "<baseline|candidate>"


@pytest.mark.parametrize("share", ["0", "-1", "101", "x"])
def test_a_wrong_share_of_the_demos_fault_is_refused_before_anything_starts(share: str) -> None:
    with pytest.raises(InputError, match="--fault-share"):
        run_cli("demo", f"--fault-share={share}")
