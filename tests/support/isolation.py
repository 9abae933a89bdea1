"""Run a program with ``isolated_program``, and return its contacts and the files that it wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

LOOPBACK = frozenset({"127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Observed:
    status: int
    output: str
    contacted: frozenset[tuple[str, str, int]]
    written: tuple[str, ...]

    def outside(self) -> list[tuple[str, str, int]]:
        """Return the contacts other than TCP connections on loopback: those with other machines, and DNS queries."""
        return sorted(one for one in self.contacted if one[0] != "tcp" or one[1] not in LOOPBACK)

    def loopback_ports(self) -> set[int]:
        return {port for _, address, port in self.contacted if address in LOOPBACK}

    def written_outside(self, *folders: Path) -> list[str]:
        return [one for one in self.written if not any(Path(one).is_relative_to(folder) for folder in folders)]


def run_isolated(folder: Path, command: Sequence[str], cwd: Path, timeout: float = 180) -> Observed:
    """Run the command. Skip the test if this machine allows no namespaces. ``folder``: where to create the view."""
    folder.mkdir()
    line = [sys.executable, "-m", "tests.support.isolated_program", str(folder), *command]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}  # Python's own cache is no file of the program
    done = subprocess.run(line, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    if "unsupported" in found:
        pytest.skip(f"no namespaces here: {found['unsupported']}")
    assert found["dropped"] == 0
    contacted = frozenset((str(kind), str(address), int(port)) for kind, address, port in found["contacted"])
    return Observed(found["status"], found["output"], contacted, tuple(found["written"]))
