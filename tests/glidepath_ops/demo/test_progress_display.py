from __future__ import annotations

import io

import pytest
from rich.console import Console

from glidepath.status_and_decisions import Decision, SideStatus, Verdict, WorkloadStatus
from glidepath_ops.demo.client_load import ClientStats
from glidepath_ops.demo.demo_state import DemoState
from glidepath_ops.demo.progress_display import Display, LiveDisplay, PlainDisplay, Snapshot, make_display

VERDICTS = (
    Verdict("sameness", "pass", 0.93, 0.75, "", 120, 1.4),
    Verdict("latency_p50", "inconclusive", None, 1.5, "ratio", 3, 0.1),
)
STATUS = WorkloadStatus(
    workload="chat",
    phase="baking",
    percent=25,
    step=2,
    steps=(5, 10, 25),
    since_ms=0,
    updated_at_ms=0,
    message="latency_p50 needs 20 more samples",
    verdicts=VERDICTS,
    baseline=SideStatus(100, 0, 120.5, 180, 210, 44),
    candidate=SideStatus(30, 2, 110, None, None, None),
    agreement=0.931,
    pairs_scored=120,
)
LOG = [
    Decision(0, "chat", "promote", 10, 25, "baking", "all gates pass"),
    Decision(0, "chat", "rollback", 25, 0, "rolling_back", "9 of 9 failed", trigger="errors_fast"),
]


def frame(elapsed: float, seen: DemoState) -> Snapshot:
    stats = ClientStats(requests=200, answered=199, errors=1)
    stats.recent_ms.extend([100.0, 120.0, 140.0])
    return Snapshot(elapsed, seen, stats, "promotion")


def shown(view_type: type[LiveDisplay] | type[PlainDisplay], frames: list[Snapshot], width: int = 110) -> str:
    out = io.StringIO()
    view: Display = view_type(Console(file=out, force_terminal=view_type is LiveDisplay, width=width, height=50))
    with view:
        view.print_line("starting")
        for one in frames:
            view.show(one)
    return out.getvalue()


def test_plain_lines_show_each_decision_once_and_the_state_periodically() -> None:
    first, both = DemoState(STATUS, LOG[:1], 25.0), DemoState(STATUS, LOG, 0.0)
    text = shown(PlainDisplay, [frame(1, first), frame(1.1, first), frame(2, both), frame(7, both)])
    assert text.count("all gates pass") == 1
    assert "[errors_fast] 9 of 9 failed" in text
    assert text.count("agreement 0.931") == 2
    assert "\x1b" not in text


def test_the_page_shows_weights_sides_gates_and_log() -> None:
    text = shown(LiveDisplay, [frame(1, DemoState(STATUS, LOG, 25.0))])
    for expected in ("25.0 %", "onprem", "sameness", "inconclusive", "0.931", "rollback", "1 failed", "120 pairs"):
        assert expected in text


@pytest.mark.parametrize("view", [LiveDisplay, PlainDisplay])
@pytest.mark.parametrize("width", [20, 80, 200])
def test_any_width_and_an_empty_state_can_be_shown(view: type[LiveDisplay] | type[PlainDisplay], width: int) -> None:
    assert "starting" in shown(view, [frame(0, DemoState()), frame(9, DemoState(STATUS, LOG, None))], width)


def test_without_a_terminal_plain_lines_are_used() -> None:
    assert isinstance(make_display(Console(file=io.StringIO())), PlainDisplay)
    assert isinstance(make_display(Console(file=io.StringIO(), force_terminal=True)), LiveDisplay)
