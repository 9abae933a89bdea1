"""Acceptance tests of the demo: run from the command line, with real processes only."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import pytest

from glidepath_ops.local.child_process import Child
from tests.support.console_on_demo import Watched
from tests.support.dashboard_on_demo import ScrapedDemo
from tests.support.kept_demo import COMMAND, FinishedDemo, finished
from tests.support.process_state import is_running

AFTER_SETUP_S = 90


@pytest.mark.slow
def test_the_demo_promotes_on_evidence_and_rolls_back_errors_that_no_client_sees(
    scraped_demo: ScrapedDemo,
) -> None:
    done = scraped_demo.done
    assert done.status == 0, done.output
    summary = done.summary
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
    assert "\x1b" not in done.output
    assert "success: the demo ran as expected" in done.output


@pytest.mark.slow
def test_answers_that_break_in_the_body_are_rolled_back_like_errors(
    watched_demo: tuple[FinishedDemo, Watched | None],
) -> None:
    done, _ = watched_demo
    assert done.status == 0, done.output
    rollback = done.summary["rollback"]
    assert (rollback["trigger"], rollback["from_percent"], rollback["to_percent"]) == ("errors_fast", 100, 0)
    assert done.summary["client_errors"] > 0


@pytest.mark.slow
def test_with_two_real_llms_the_ramp_reaches_100_percent(tmp_path: Path) -> None:
    file = tmp_path / "summary.json"
    options = ["--json", str(file), "--llm", "--fault", "none"]
    with Child("demo", [*COMMAND, *options], tmp_path / "demo.log") as demo:
        done = finished(demo.process.wait(240), demo.log, file)
    summary = done.summary
    assert done.status == 0, done.output
    assert summary["client_errors"] == 0
    assert summary["pairs_scored"] >= 50
    assert [step["percent"] for step in summary["steps"]] == [50, 100]
    assert summary["rollback"] is None
    assert summary["final_percent"] == 100
    shown = [float(value) for value in re.findall(r"agreement (\d\.\d+)", done.output)]
    assert any(0.5 < value < 1 for value in shown)  # the candidate has another temperature, so some answers differ


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_demo_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    with Child("demo", COMMAND, tmp_path / "log") as demo:
        demo.wait_until(lambda: "all processes are ready" in demo.log.read_text(), timeout=60)
        children = descendants(demo.pid)
        assert len(children) >= 6  # Redis, Envoy, extproc, scorer and two backends
        demo.signal(number)
        demo.process.wait(60)
        deadline = time.monotonic() + 15
        while any(is_running(pid) for pid in children):
            assert time.monotonic() < deadline, demo.tail()


def descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *descendants(child)]
    return found
