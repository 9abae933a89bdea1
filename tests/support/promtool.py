"""Debian's Prometheus and promtool. Tests that need them are skipped if they are not installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def _found(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))


PROMETHEUS, PROMTOOL = _found("prometheus"), _found("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="no promtool: `make promtool`, or apt-get install prometheus"
)
needs_prometheus = pytest.mark.skipif(
    PROMETHEUS is None, reason="no prometheus: `make promtool`, or apt-get install prometheus"
)


def promtool(*arguments: str | Path) -> str:
    """Return the output of promtool. The test fails if promtool finds an error."""
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
