"""``glidepath feedback`` on a real Redis: single feedback, lines on stdin, and invalid feedback."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from glidepath.clock import unix_ms
from glidepath.config.user_feedback import FeedbackSection
from glidepath.feedback import FeedbackKind, FeedbackMatch, decode_feedback
from glidepath.feedback_intake import FeedbackStore, ServedRequest
from glidepath.redis_keys import WorkloadKeys
from glidepath.sides import Side
from glidepath.stored_feedback import read_note

NOTHING = {"baseline": 0, "candidate": 0, "unknown": 0, "repeated": 0, "noted": 0}


def with_feedback(file: Path, workload: str = "chat", **sections: Any) -> Path:
    raw = yaml.safe_load(file.read_text())
    raw["workloads"][workload]["feedback"] = {}
    raw |= {"extproc": {"flush": "10ms"}, **sections}
    file.write_text(yaml.safe_dump(raw))
    return file


async def give(file: Path, *arguments: str, lines: bytes = b"") -> tuple[int, dict[str, int], str]:
    command = [sys.executable, "-m", "glidepath_ops", "feedback", *arguments, "-c", str(file)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, input=lines, timeout=60)
    assert b"Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr.decode()


async def remember(client: Any, *names: str) -> None:
    served = [ServedRequest(name, Side.CANDIDATE, unix_ms()) for name in names]
    await FeedbackStore(client, "chat", FeedbackSection()).remember(served, unix_ms())


async def stored(client: Any) -> list[FeedbackMatch]:
    return [decode_feedback(f[b"f"]).match for _, f in await client.xrange(WorkloadKeys("chat").feedback)]


async def test_one_feedback_counts_for_the_side_of_its_request(file: Path, redis_client: Any) -> None:
    await remember(redis_client, "r1", "r2")
    with_feedback(file)
    found = await give(file, "--request-id", "r1", "--score", "up", "--user", "ann")
    assert found == (0, {**NOTHING, "candidate": 1}, "")
    _, counts, _ = await give(file, "--request-id", "nobody", "--score", "0.5", "-w", "chat")
    assert counts["unknown"] == 1
    assert await stored(redis_client) == [FeedbackMatch.CANDIDATE, FeedbackMatch.UNKNOWN]


async def test_lines_are_read_from_stdin_and_a_bad_line_costs_only_itself(file: Path, redis_client: Any) -> None:
    await remember(redis_client, "r1", "r2")
    good = b'{"request_id": "r1", "score": 1}\n\n{"request_id": "r1", "score": "down"}\n'
    bad = b"{}\n" + b"x" * 30_000 + b'\n{"request_id": "r2", "score": 0, "workload": "sql"}\n'
    last = b'{"request_id": "r2", "score": 0, "workload": "chat"}'
    status, counts, errors = await give(with_feedback(file), lines=good + bad + last)
    assert (status, counts) == (2, {**NOTHING, "candidate": 2, "repeated": 1})
    assert "<stdin>:4: request_id: is missing" in errors
    assert "<stdin>:5: the line is longer than 10000 bytes" in errors
    assert "<stdin>:6: workload: 'sql' has no feedback section" in errors
    assert len(errors.splitlines()) == 3


async def test_success_and_a_redacted_label_are_shown_with_the_request(file: Path, redis_client: Any) -> None:
    await remember(redis_client, "r1", "r2")
    with_feedback(file, redaction={"builtin": ["email"]})
    found = await give(file, "--request-id", "r1", "--failure", "--label", "wrong fee, says ann@example.com")
    assert found == (0, {**NOTHING, "candidate": 1}, "")
    assert await give(file, lines=b'{"request_id": "r2", "label": "rude"}') == (0, {**NOTHING, "noted": 1}, "")
    one, two = [await read_note(redis_client, "chat", name) for name in ("r1", "r2")]
    assert one is not None
    assert (one.score, one.kind, one.label) == (0.0, FeedbackKind.SUCCESS, "wrong fee, says [redacted]")
    assert two is not None
    assert (two.score, two.label) == (None, "rude")
    assert await stored(redis_client) == [FeedbackMatch.CANDIDATE]


async def test_feedback_on_a_request_that_is_remembered_a_moment_later_counts(file: Path, redis_client: Any) -> None:
    with_feedback(file)
    giving = asyncio.create_task(give(file, "--request-id", "r1", "--score", "1"))
    while not giving.done():
        await remember(redis_client, "r1")
        await asyncio.sleep(0.02)
    assert (await giving)[1]["candidate"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--request-id", "r1"), "needs --request-id with --score"),
        (("--score", "1"), "needs --request-id with --score"),
        (("--request-id", "r1", "--score", "1", "--success"), "success: give only one of score, thumbs, success"),
        (("--request-id", "r1", "--score", "5"), "score: must be a number from 0 to 1, up or down"),
        (("--request-id", "r1", "--score", "nan"), "score: must be a number from 0 to 1, up or down"),
        (("--request-id", "r1", "--score", "1", "-w", "sql"), "unknown workload 'sql'"),
    ],
)
async def test_a_wrong_option_is_named_with_what_is_allowed(file: Path, arguments: tuple[str, ...], said: str) -> None:
    status, counts, errors = await give(with_feedback(file), *arguments)
    assert (status, counts) == (2, {})
    assert said in errors


async def test_without_a_feedback_section_the_command_says_what_to_add(file: Path) -> None:
    status, _, errors = await give(file, "--request-id", "r1", "--score", "1")
    assert status == 2
    assert "no workload has a feedback section; add workloads.NAME.feedback: {}" in errors
