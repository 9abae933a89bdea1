"""The dates of a provider's contract: the last day to give notice, and the last day to start a migration."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from glidepath.config.prices import Contract

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class ContractDates:
    """The dates of a contract.

    ``notice_by``: the last day to give notice.
    ``start_by``: the last day to start a ramp that ends by ``notice_by``; None if the duration of the ramp is unknown.
    ``days_to_notice``, ``days_to_renewal``, ``days_to_start``: days from today, negative if the date has passed.
    """

    renewal: date
    notice_by: date
    days_to_renewal: int
    days_to_notice: int
    start_by: date | None = None
    days_to_start: int | None = None


def contract_dates(contract: Contract, ramp_s: float | None, now_ms: int) -> ContractDates:
    """Return the dates of a contract. ``ramp_s``: how long the rest of the ramp takes, in seconds; None: unknown."""
    today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
    notice_by = contract.renewal - timedelta(days=_whole_days(contract.notice))
    start_by = None if ramp_s is None else notice_by - timedelta(days=_whole_days(ramp_s))
    return ContractDates(
        contract.renewal,
        notice_by,
        (contract.renewal - today).days,
        (notice_by - today).days,
        start_by,
        None if start_by is None else (start_by - today).days,
    )


def _whole_days(seconds: float) -> int:
    """Return the number of seconds in days, rounded up."""
    return int(-(-seconds // DAY_S))
