"""The dates of a contract, computed by hand."""

from __future__ import annotations

from datetime import date

from glidepath.config.prices import Contract
from glidepath.pricing.contract_dates import contract_dates

DAY = 86_400
NOW = 1_795_996_800_000 + 5 * 3_600_000  # 2026-11-30 05:00 UTC


def test_the_latest_start_leaves_time_for_the_ramp_before_notice_must_be_given() -> None:
    """90 days before the renewal on 31 March is 31 December. A ramp of 14.5 days must start on 16 December."""
    found = contract_dates(Contract(renewal=date(2027, 3, 31), notice="90d"), 14.5 * DAY, NOW)
    assert (found.notice_by, found.start_by) == (date(2026, 12, 31), date(2026, 12, 16))
    assert (found.days_to_renewal, found.days_to_notice, found.days_to_start) == (121, 31, 16)


def test_the_days_to_a_past_date_are_negative_and_an_unknown_ramp_has_no_start() -> None:
    found = contract_dates(Contract(renewal=date(2026, 11, 29)), None, NOW)
    assert (found.days_to_notice, found.start_by, found.days_to_start) == (-1, None, None)
