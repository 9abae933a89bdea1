"""Acceptance tests of the demo: run from the command line, with real processes only."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from glidepath_ops.local.child_process import Child
from tests.support.process_state import is_running

COMMAND = [sys.executable, "-m", "glidepath_ops", "demo"]
AFTER_SETUP_S = 90


def run_demo(folder: Path, *options: str, timeout: float, try_last_line: bool = False) -> tuple[int, Any, str]:
    """Run the demo; return its exit status, its summary and its output.

    ``try_last_line``: keep it running, and run the last command that it prints before it is stopped.
    """
    file = folder / "summary.json"
    with Child("demo", [*COMMAND, "--json", str(file), *options], folder / "demo.log") as demo:
        if try_last_line:
            demo.wait_until(lambda: " retry chat " in demo.log.read_text(), timeout=timeout)
            last = next(line for line in demo.log.read_text().splitlines() if " retry chat " in line)
            subprocess.run(last, shell=True, check=True, timeout=60)
            demo.signal(signal.SIGINT)
        status = demo.process.wait(timeout)
    output = demo.log.read_text()
    assert file.exists(), output
    return status, json.loads(file.read_text()), output


@pytest.mark.slow
def test_the_demo_promotes_on_evidence_and_rolls_back_errors_that_no_client_sees(tmp_path: Path) -> None:
    status, summary, output = run_demo(tmp_path, "--keep", timeout=150, try_last_line=True)
    assert status == 0, output
    assert summary["workload"] == "chat"
    assert summary["seconds"] < AFTER_SETUP_S
    assert summary["client_errors"] == 0
    assert summary["client_requests"] > 500
    assert summary["pairs_lost"] == 0
    assert summary["pairs_scored"] > 500
    steps = [step["percent"] for step in summary["steps"]]
    assert steps == [1, 5, 10, 25, 50, 75, 100]
    at = [step["at_s"] for step in summary["steps"]]
    assert at == sorted(at)
    assert all(step["reason"] for step in summary["steps"])
    rollback = summary["rollback"]
    assert (rollback["trigger"], rollback["from_percent"], rollback["to_percent"]) == ("errors_fast", 100, 0)
    assert 0 < rollback["fault_to_weights_s"] < 5
    assert "\x1b" not in output
    assert "success: the demo ran as expected" in output


@pytest.mark.slow
def test_answers_that_break_in_the_body_are_rolled_back_like_errors(tmp_path: Path) -> None:
    status, summary, output = run_demo(tmp_path, "--fault", "body", timeout=150)
    assert status == 0, output
    rollback = summary["rollback"]
    assert (rollback["trigger"], rollback["from_percent"], rollback["to_percent"]) == ("errors_fast", 100, 0)
    assert summary["client_errors"] > 0


@pytest.mark.slow
def test_with_two_real_llms_the_ramp_reaches_100_percent(tmp_path: Path) -> None:
    status, summary, output = run_demo(tmp_path, "--llm", "--fault", "none", timeout=240)
    assert status == 0, output
    assert summary["client_errors"] == 0
    assert summary["pairs_scored"] >= 50
    assert [step["percent"] for step in summary["steps"]] == [50, 100]
    assert summary["rollback"] is None
    assert summary["final_percent"] == 100
    shown = [float(value) for value in re.findall(r"agreement (\d\.\d+)", output)]
    assert any(0.5 < value < 1 for value in shown)  # the candidate has another temperature, so some answers differ


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_demo_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    with Child("demo", COMMAND, tmp_path / "log") as demo:
        demo.wait_until(lambda: "all processes are ready" in demo.log.read_text(), timeout=60)
        children = descendants(demo.pid)
        assert len(children) >= 6  # Redis, Envoy, extproc, scorer and two backends
        demo.signal(number)
        demo.process.wait(30)
        deadline = time.monotonic() + 15
        while any(is_running(pid) for pid in children):
            assert time.monotonic() < deadline, demo.tail()


def descendants(pid: int) -> list[int]:
    """Return the process ids of all descendants."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *descendants(child)]
    return found
