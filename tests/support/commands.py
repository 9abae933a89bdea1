"""Run a command of the CLI in the test's process, and write the event files that judge and calibrate read."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from glidepath_ops.cli.main import build_app


def run_cli(*args: str) -> str:
    """Return standard output; a GlidepathError is raised."""
    result = CliRunner().invoke(build_app(args[0]), list(args), catch_exceptions=False, standalone_mode=False)
    if isinstance(result.return_value, int) and result.return_value:
        raise AssertionError(result.output)
    return result.stdout


def write_events(path: Path, *lines: dict[str, object]) -> Path:
    """Write one JSON object a line to ``path``, and return the path."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path
