"""Run commands of the CLI, in the test's process or in a new one, and write event files for ``glidepath judge``."""

from __future__ import annotations

import asyncio
import json
import shlex
import subprocess
import sys
from pathlib import Path

from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from glidepath_ops.cli.command_line import build_app


def run_cli(*args: str) -> str:
    """Run a command in this process and return its standard output. Raises the GlidepathError of the command."""
    result = CliRunner().invoke(build_app(args[0]), list(args), catch_exceptions=False, standalone_mode=False)
    if isinstance(result.return_value, int) and result.return_value:
        raise AssertionError(result.output)
    return result.stdout


def parse_command(line: str) -> None:
    """Read the arguments of a line such as ``glidepath log -w chat`` without running it. Raises click's UsageError."""
    program, *arguments = shlex.split(line)
    assert program == "glidepath", line
    group = get_command(build_app(arguments[0]))
    context = group.make_context(program, arguments)
    while isinstance(context.command, TyperGroup) and (rest := [*context._protected_args, *context.args]):
        name, command, rest = context.command.resolve_command(context, rest)
        assert command is not None
        context = command.make_context(name, rest, parent=context)
    assert not isinstance(context.command, TyperGroup) or context.command.invoke_without_command, f"{line}: which?"


async def run_process(*arguments: str, config: Path) -> tuple[int, str, str]:
    """Run ``glidepath`` as a process. Return its exit status, standard output and standard error."""
    command = [sys.executable, "-m", "glidepath_ops", *arguments, "-c", str(config)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def write_events(path: Path, *lines: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path
