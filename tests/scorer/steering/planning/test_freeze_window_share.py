"""The share of the coming weeks that freeze windows cover."""

from __future__ import annotations

import pytest

from glidepath.config.ramp import Freeze
from scorer.steering.planning.freeze_window_share import always_frozen, frozen_share, frozen_text

MONDAY_MS = 1_796_601_600_000  # 2026-12-07 00:00 UTC


def window(cron: str, duration: str, timezone: str = "UTC") -> Freeze:
    return Freeze.model_validate({"cron": cron, "duration": duration, "timezone": timezone})


@pytest.mark.parametrize(
    ("windows", "share"),
    [
        ((), 0),
        ((window("0 0 * * *", "6h"),), 0.25),
        ((window("0 0 * * *", "6h"), window("0 12 * * *", "6h")), 0.5),
        ((window("0 0 * * *", "6h"), window("0 3 * * *", "3h")), 0.25),
        ((window("0 0 * * SAT", "2d", "Asia/Tokyo"),), 2 / 7),
        ((window("0 0 1 1 *", "1d"),), 1 / 28),
        ((window("*/5 * * * *", "1h"),), 1),
    ],
)
def test_the_share_is_that_of_the_union_of_all_windows(windows: tuple[Freeze, ...], share: float) -> None:
    assert frozen_share(windows, MONDAY_MS) == pytest.approx(share)


def test_the_text_says_that_times_do_not_include_windows_or_that_no_step_is_taken() -> None:
    assert frozen_text((), MONDAY_MS) == ""
    night, always = window("0 0 * * *", "6h"), window("*/5 * * * *", "1h")
    assert frozen_text((night,), MONDAY_MS) == (
        "freeze windows cover 25% of the next 28 days; the times do not include them"
    )
    assert always_frozen((night,), MONDAY_MS) == ""
    assert "no step is taken" in always_frozen((always,), MONDAY_MS)
