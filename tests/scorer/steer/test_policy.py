"""Steps of the configuration, and windows in which nothing is promoted."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from glidepath.config.ramp import Freeze, RampSection
from scorer.steer.policy import frozen_by, policy_of


def ms(text: str, zone: str = "Europe/Berlin") -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


WEEKEND = Freeze(cron="0 17 * * FRI", duration="63h", timezone="Europe/Berlin", reason="weekend")


@pytest.mark.parametrize(
    ("when", "frozen"),
    [
        ("2026-11-20T16:59:59", False),
        ("2026-11-20T17:00:00", True),
        ("2026-11-22T12:00:00", True),
        ("2026-11-23T07:59:59", True),
        ("2026-11-23T08:00:00", False),
    ],
)
def test_a_freeze_window_opens_and_closes_at_its_time_in_its_zone(when: str, frozen: bool) -> None:
    assert bool(frozen_by([WEEKEND], ms(when))) is frozen


def test_the_reason_of_a_freeze_says_until_when() -> None:
    assert frozen_by([WEEKEND], ms("2026-11-20T18:00:00")) == (
        "freeze window until 2026-11-23 08:00 Europe/Berlin: weekend"
    )


def test_a_freeze_lasts_its_duration_across_a_change_of_the_clock() -> None:
    night = Freeze(cron="0 0 * * *", duration="4h", timezone="Europe/Berlin")
    assert frozen_by([night], ms("2026-03-29T04:30:00"))  # the clock skipped an hour: 3.5 h since midnight
    assert not frozen_by([night], ms("2026-03-29T05:30:00"))


def test_no_window_freezes_nothing() -> None:
    assert frozen_by([], 0) == ""


def test_steps_before_after_and_between() -> None:
    policy = policy_of(RampSection(steps=(1, 10, 60)))
    assert [policy.next_step(p) for p in (0, 1, 30, 60, 90)] == [1, 10, 60, None, None]
    assert [policy.previous_step(p) for p in (0, 1, 10, 30, 60, 90)] == [0, 0, 1, 10, 10, 60]
    assert [policy.step_of(p) for p in (0, 0.5, 1, 30, 60, 90)] == [-1, -1, 0, 1, 2, 2]


def test_approval_may_be_for_all_some_or_no_steps() -> None:
    def approvals(value: object) -> frozenset[float]:
        return policy_of(RampSection.model_validate({"steps": [1, 10], "approval": value})).approvals

    assert (approvals(True), approvals(False), approvals([10])) == ({1, 10}, set(), {10})


def test_the_shadow_hold_is_the_hold_unless_given() -> None:
    assert policy_of(RampSection(hold=10)).hold_for(0) == 10_000
    assert policy_of(RampSection(hold=10, shadow_hold=0)).hold_for(0) == 0
    assert policy_of(RampSection(hold=10, shadow_hold=0)).hold_for(1) == 10_000
