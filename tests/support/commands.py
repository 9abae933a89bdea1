"""Run commands of the CLI, in the test's process or in a new one, and write event files for ``glidepath judge``."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from glidepath_ops.cli.command_line import build_app


def run_cli(*args: str) -> str:
    """Run a command in this process and return its standard output. Raises the GlidepathError of the command."""
    result = CliRunner().invoke(build_app(args[0]), list(args), catch_exceptions=False, standalone_mode=False)
    if isinstance(result.return_value, int) and result.return_value:
        raise AssertionError(result.output)
    return result.stdout


async def run_process(*arguments: str, config: Path) -> tuple[int, str, str]:
    """Run ``glidepath`` as a process. Return its exit status, standard output and standard error."""
    command = [sys.executable, "-m", "glidepath_ops", *arguments, "-c", str(config)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def write_events(path: Path, *lines: dict[str, object]) -> Path:
    """Write one JSON object per line to ``path``, and return the path."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path
