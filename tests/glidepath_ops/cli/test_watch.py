"""The output of `glidepath watch`: the table, and the changes that it prints."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from rich.console import Console

from glidepath_ops.cli import watch
from glidepath_ops.cli.watch import Seen, changed_records, changes, view
from glidepath_ops.read_fleet_status import FleetReading
from tests.support.console_data import decision, status
from tests.support.lost_cancellation import SwallowsCancellation, ends_after_a_lost_cancellation


def seen(*decisions: Any, **changed: Any) -> Seen:
    return Seen(FleetReading(statuses={"chat": status(updated_at_ms=1, since_ms=1, **changed)}), decisions)


@pytest.mark.parametrize("width", [80, 160])
def test_the_view_has_share_gates_and_the_newest_decisions_first(width: int) -> None:
    old, new = (decision("promote", at, id=f"{at}-0", reason=f"reason {at}") for at in (1000, 2000))
    console = Console(width=width, record=True, force_terminal=False)
    with console.capture() as captured:
        console.print(view(seen(old, new), 1.0, width))
    text = captured.get()
    assert "10 %" in text
    assert "latency_p99" in text
    assert text.index("reason 2000") < text.index("reason 1000")
    assert text.index("reason 1000") < text.index("latency_p99: inconclusive" if width == 80 else "gate ")
    assert max(map(len, text.splitlines())) <= width


def test_a_line_is_printed_for_a_change_of_the_state_and_for_a_new_decision() -> None:
    before, after = seen(), seen(decision("hold", 1000, id="1-0", reason="looking"), phase="held")
    lines = list(changes(before, after))
    assert lines[-1] == "chat: 10 %, held"
    assert "looking" in lines[0]
    assert list(changes(after, after)) == []


def test_a_redis_that_does_not_answer_is_said_once_and_the_last_view_stays() -> None:
    before = seen()
    gone = Seen(before.read, before.decisions, "Redis does not answer: refused")
    assert list(changes(before, gone)) == ["Redis does not answer: refused"]
    assert list(changes(gone, gone)) == []
    console = Console(width=160)
    with console.capture() as captured:
        console.print(view(gone, 1.0, 160))
    assert "Redis does not answer" in captured.get()
    assert "chat" in captured.get()


def test_json_has_an_object_for_each_changed_status() -> None:
    [line] = changed_records(seen(), seen(percent=25.0))
    assert json.loads(line)["status"]["percent"] == 25.0
    assert list(changed_records(seen(), seen())) == []


def test_text_from_people_cannot_control_the_terminal() -> None:
    after = seen(decision("hold", 1000, id="1-0", reason="\x1b[31mred\nline", actor="a\x07"))
    [line] = changes(seen(), after)
    assert "\x1b" not in line
    assert "\n" not in line


@pytest.mark.parametrize("live", [True, False])
async def test_ctrl_c_ends_the_command_although_the_redis_client_loses_the_cancellation(
    live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = SwallowsCancellation()

    async def look(*_: Any) -> Seen:
        await call()
        return seen()

    monkeypatch.setattr(watch, "_look", look)
    redis: Any = None
    settings: Any = None
    running = (
        watch._draw(settings, redis, ["chat"], 0.001, Console(quiet=True))
        if live
        else watch._print_changes(settings, redis, ["chat"], 0.001, as_json=False)
    )
    task = asyncio.create_task(running)
    assert await ends_after_a_lost_cancellation(task, call)
    assert task.cancelled()
