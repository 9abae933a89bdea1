"""Tests of the tables of ``glidepath status``."""

from __future__ import annotations

from rich.console import Console

from glidepath.scorer_groups import GroupProblem
from glidepath.status_and_decisions import SideStatus, WorkloadStatus, from_json, to_json
from glidepath_ops.cli.status import gates, overview


def shown(status: WorkloadStatus) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(overview({"chat": status}, now=100.0))
    return captured.get()


def test_an_unknown_share_is_not_shown_as_a_number() -> None:
    status = WorkloadStatus(
        "chat", "held", 0, -1, (5, 25), 0, 99_000, share_known=False, message="the share is not known"
    )
    assert "unknown" in shown(status)
    assert "0 %" not in shown(status)


def test_the_required_requests_are_shown_until_they_are_reached() -> None:
    def title(requests: int) -> str:
        side = SideStatus(requests=requests)
        return str(gates(WorkloadStatus("chat", "baking", 25, 1, (5, 25), 0, 0, candidate=side, min_samples=50)).title)

    assert title(12) == "chat: 12 requests of at least 50, 0 errors in this step"
    assert title(50) == "chat: 50 requests, 0 errors in this step"


def test_rescued_errors_are_shown_apart_from_errors_that_clients_saw() -> None:
    side = SideStatus(requests=50, errors=9, rescued=6, rescues_failed=2)
    status = WorkloadStatus("chat", "baking", 25, 1, (5, 25), 0, 0, candidate=side)
    told = "9 errors in this step (6 answered by the baseline, 2 failed there too)"
    assert str(gates(status).title) == f"chat: 50 requests, {told}"
    assert from_json(WorkloadStatus, to_json(status)).candidate == side


def test_a_known_share_is_shown_as_a_number() -> None:
    assert "25 %" in shown(WorkloadStatus("chat", "baking", 25, 1, (5, 25), 0, 99_000))


def test_the_status_says_why_a_group_does_not_steer_a_workload() -> None:
    trouble = GroupProblem("x[1] holds the lease", "give each file a group")
    console = Console(width=300)
    with console.capture() as captured:
        status = WorkloadStatus("chat", "baking", 25, 1, (5, 25), 0, 99_000, message="m")
        console.print(overview({"chat": status, "new": None}, now=200.0, troubles={"chat": trouble, "new": trouble}))
    shown = captured.get()
    assert shown.count("x[1] holds the lease; give each file a group") == 2
    assert "no update for 101 s" in shown
    assert "is a scorer running?" not in shown
