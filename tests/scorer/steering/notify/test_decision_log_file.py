"""The decision log as a file: decisions that are queued at the end are written, and failed writes are repeated."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from prometheus_client import Counter

from scorer.steering.notify.decision_log_file import DecisionLogFile, decision_log_file
from tests.support.notification_inbox import ROLLBACK, delivering
from tests.support.waiting import eventually


async def test_at_the_end_the_queued_decisions_are_still_written(dropped: Counter, tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    queue = decision_log_file(str(path), dropped)
    async with delivering(queue):
        for _ in range(20):
            queue.announce(ROLLBACK)
    lines = path.read_text().splitlines()
    assert len(lines) == 20
    assert json.loads(lines[0])["event"] == "rollback"


@pytest.mark.slow
async def test_a_file_that_could_not_be_written_gets_the_backlog_later_and_records_the_gap(
    dropped: Counter, tmp_path: Path
) -> None:
    folder = tmp_path / "not-there-yet"
    queue = DecisionLogFile(folder / "decisions.jsonl", dropped, backlog=3)
    with structlog.testing.capture_logs() as lines:
        async with delivering(queue):
            for number in range(5):
                queue.announce(replace(ROLLBACK, at_ms=number))
                await eventually(lambda: queue.problem)
            folder.mkdir()
            await eventually(lambda: (folder / "decisions.jsonl").exists() and not queue.problem)
            queue.announce(replace(ROLLBACK, at_ms=5))
    written = [json.loads(line) for line in (folder / "decisions.jsonl").read_text().splitlines()]
    assert [w["at_ms"] for w in written[1:]] == [2, 3, 4, 5]
    assert (written[0]["event"], written[0]["details"]) == ("log_gap", {"lost": 2})
    assert dropped.labels("file")._value.get() == 2
    assert [(line["event"], line.get("reason")) for line in lines] == [
        ("log_file_unwritable", "No such file or directory"),
        ("log_file_recovered", None),
    ]


async def test_a_decision_after_an_incomplete_line_starts_a_new_line(dropped: Counter, tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    path.write_text('{"half')
    queue = DecisionLogFile(path, dropped)
    async with delivering(queue):
        queue.announce(ROLLBACK)
    assert path.read_text().splitlines()[0] == '{"half'
    assert json.loads(path.read_text().splitlines()[1])["event"] == "rollback"


async def test_a_full_device_is_logged_and_does_not_delay_the_end_of_the_process(dropped: Counter) -> None:
    queue = DecisionLogFile(Path("/dev/full"), dropped)
    with structlog.testing.capture_logs() as lines:
        async with delivering(queue):
            queue.announce(ROLLBACK)
            await eventually(lambda: queue.problem)
    assert [line["event"] for line in lines] == ["log_file_unwritable", "log_file_lost"]
    assert {line["reason"] for line in lines} == {"No space left on device"}
