"""Run the demo with ``--keep`` for tests, and stop it as a person does with Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glidepath_ops.local.child_process import Child

COMMAND = [sys.executable, "-m", "glidepath_ops", "demo"]
KEPT_WITHIN_S = 240  # from the start until the rollback is over; 60 on an idle machine
END_WITHIN_S = 120


@dataclass(frozen=True, slots=True)
class FinishedDemo:
    """The result of a demo that has ended. ``summary``: the output of ``--json``."""

    status: int
    summary: Any
    output: str


@dataclass(frozen=True, slots=True)
class KeptDemo:
    """A demo that runs with ``--keep``. ``temporary``: its TMPDIR, in which it creates its own folder."""

    child: Child
    temporary: Path

    def last_command(self) -> str:
        """Wait until the demo has ended its ramp and keeps running. Return the last command that it prints."""
        self.child.wait_until(lambda: " retry chat " in self.child.log.read_text(), timeout=KEPT_WITHIN_S)
        return next(line for line in self.child.log.read_text().splitlines() if " retry chat " in line)

    def report(self) -> str:
        """Return the report of the demo in Markdown, as a person writes it while the demo is kept running."""
        [config] = self.temporary.glob("*/glidepath.yaml")
        command = [*COMMAND[:-1], "report", "-c", str(config), "--format", "md"]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout

    def finish(self) -> FinishedDemo:
        """Stop the demo as Ctrl-C does, and return its result."""
        self.child.signal(signal.SIGINT)
        status = self.child.process.wait(END_WITHIN_S)
        return finished(status, self.child.log, self.temporary.parent / "summary.json")


def finished(status: int, log: Path, summary: Path) -> FinishedDemo:
    output = log.read_text()
    assert summary.exists(), output
    return FinishedDemo(status, json.loads(summary.read_text()), output)


@contextmanager
def kept_demo(folder: Path, *options: str) -> Iterator[KeptDemo]:
    temporary = folder / "tmp"
    temporary.mkdir()
    command = [*COMMAND, "--keep", "--json", str(folder / "summary.json"), *options]
    with Child("demo", command, folder / "demo.log", env={"TMPDIR": str(temporary)}) as child:
        yield KeptDemo(child, temporary)
