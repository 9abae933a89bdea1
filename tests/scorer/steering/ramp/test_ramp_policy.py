"""The configured steps and their rules, and freeze windows in which no step is taken."""

from __future__ import annotations

from datetime import datetime
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from glidepath.config.ramp import Freeze, RampSection
from scorer.steering.ramp.ramp_policy import frozen_by, policy_of


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


def test_a_window_at_a_time_that_the_clock_repeats_lasts_one_real_hour() -> None:
    night = Freeze(cron="30 2 * * *", duration="1h", timezone="Europe/Berlin")
    begin = ms("2026-10-25T00:00", "UTC")
    frozen = [m for m in range(0, 180, 10) if frozen_by([night], begin + m * 60_000)]
    assert (frozen[0], frozen[-1], len(frozen)) == (30, 80, 6)


def test_a_window_longer_than_its_period_stays_closed_and_its_reason_says_or_later() -> None:
    nights = Freeze(cron="0 17 * * MON-FRI", duration="24h")
    assert frozen_by([nights], ms("2026-11-16T18:00", "UTC")) == "freeze window until 2026-11-17 17:00 UTC or later"
    assert frozen_by([nights], ms("2026-11-20T18:00", "UTC")) == "freeze window until 2026-11-21 17:00 UTC"
    assert not frozen_by([nights], ms("2026-11-21T18:00", "UTC"))


@pytest.mark.parametrize(
    ("cron", "duration"), [("0 0 30 2 *", "1h"), ("@daily", "1h"), ("R R * * *", "1h"), ("0 0 * * * *", "1h")]
)
def test_a_window_with_an_invalid_cron_line_is_refused(cron: str, duration: str) -> None:
    with pytest.raises(ValidationError):
        Freeze(cron=cron, duration=duration)


@pytest.mark.parametrize("duration", [0, "99999999w", "367d", float("inf"), "9" * 400])
def test_a_window_must_last_more_than_0_and_at_most_366_days(duration: object) -> None:
    with pytest.raises(ValidationError):
        Freeze(cron="0 0 * * *", duration=duration)


WINDOWS = st.builds(
    Freeze,
    cron=st.sampled_from(("30 2 * * *", "0 0 29 2 *", "* * * * *", "0 */7 * * SUN#1", "59 23 L * *", "0 0 * 2 MON#5")),
    duration=st.sampled_from(("0.1ms", "90s", "1h", "25h", "45d", "366d")),
    timezone=st.sampled_from(("UTC", "Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Pacific/Apia")),
)


@pytest.mark.slow
@given(st.lists(WINDOWS, max_size=3), st.integers(0, ms("2500-01-01T00:00", "UTC")))
def test_every_valid_window_can_be_checked_at_any_time(windows: list[Freeze], now_ms: int) -> None:
    assert isinstance(frozen_by(windows, now_ms), str)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(WINDOWS, st.integers(ms("2026-01-01T00:00", "UTC"), ms("2030-01-01T00:00", "UTC")))
def test_a_time_is_frozen_exactly_within_a_window(window: Freeze, now_ms: int) -> None:
    zone, lasts_ms = ZoneInfo(window.timezone), round(window.duration * 1000)
    back = 0.0 if window.cron == "* * * * *" else window.duration  # every minute: one match is enough
    start = datetime.fromtimestamp(now_ms / 1000 - back - 86400, zone)
    opened = takewhile(lambda at: at <= now_ms, (round(at.timestamp() * 1000) for at in CronSim(window.cron, start)))
    assert bool(frozen_by([window], now_ms)) is any(now_ms < at + lasts_ms for at in opened)


def test_without_windows_no_time_is_frozen() -> None:
    assert frozen_by([], 0) == ""


def test_the_next_the_previous_and_the_reached_step_of_a_share() -> None:
    policy = policy_of(RampSection(steps=(1, 10, 60)))
    assert [policy.next_step(p) for p in (0, 1, 30, 60, 90)] == [1, 10, 60, None, None]
    assert [policy.previous_step(p) for p in (0, 1, 10, 30, 60, 90)] == [0, 0, 1, 10, 10, 60]
    assert [policy.step_of(p) for p in (0, 0.5, 1, 30, 60, 90)] == [-1, -1, 0, 1, 2, 2]


def test_approval_may_be_required_for_all_some_or_no_steps() -> None:
    def approvals(value: object) -> frozenset[float]:
        return policy_of(RampSection.model_validate({"steps": [1, 10], "approval": value})).approvals

    assert (approvals(True), approvals(False), approvals([10])) == ({1, 10}, set(), {10})


def test_the_shadow_hold_equals_the_hold_unless_it_is_configured() -> None:
    assert policy_of(RampSection(hold="10s")).bake_ms(0) == 10_000
    assert policy_of(RampSection(hold="10s", shadow_hold=0)).bake_ms(0) == 0
    assert policy_of(RampSection(hold="10s", shadow_hold=0)).bake_ms(1) == 10_000


RULES = {"at": {0: {"min_samples": 5}, 1: {"hold": "4h", "min_samples": 50}, 50: {"hold": "7d"}}}
AT = RampSection.model_validate(
    {"steps": [1, 10, 50, 60], "hold": "48h", "min_samples": 200, "shadow_hold": "1h", **RULES}
)
H = 3600


@pytest.mark.parametrize(
    ("percent", "hold", "samples"),
    [
        (0, H, 5),
        (0.01, 4 * H, 50),
        (1, 4 * H, 50),
        (9.99, 4 * H, 50),
        (10, 48 * H, 200),
        (49.99, 48 * H, 200),
        (50, 168 * H, 200),
        (60, 48 * H, 200),
        (100, 48 * H, 200),
    ],
)
def test_a_share_has_the_rules_of_the_step_that_it_has_reached(percent: float, hold: float, samples: int) -> None:
    policy = policy_of(AT)
    assert (AT.rules_at(percent).hold, AT.rules_at(percent).min_samples) == (hold, samples)
    assert (policy.bake_ms(percent), policy.samples_for(percent)) == (hold * 1000, samples)


@given(percent=st.floats(0, 100), shadow=st.none() | st.integers(0, 99))
def test_without_rules_per_step_every_share_has_the_same_rules(percent: float, shadow: int | None) -> None:
    text = None if shadow is None else f"{shadow}s"
    ramp = RampSection(hold="7s", min_samples=9, shadow_hold=text)
    assert ramp.rules_at(percent).min_samples == 9
    assert ramp.rules_at(percent).hold == (7 if percent or shadow is None else shadow)


def test_unjudged_answers_need_an_approval_above_the_limit() -> None:
    ramp = RampSection(steps=(5, 10, 50, 100), approval=(100,))
    assert policy_of(ramp, judged=True).approvals == {100}
    unjudged = policy_of(ramp, judged=False)
    assert (unjudged.approvals, unjudged.unjudged) == ({100}, {50})
    allowed = policy_of(RampSection(steps=(5, 10, 50, 100), unjudged_limit=100), judged=False)
    assert (allowed.approvals, allowed.unjudged) == (set(), set())
