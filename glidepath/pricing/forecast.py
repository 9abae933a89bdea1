"""The cost of a month at the present rate and at the target share, and the day of the payback. Pure.

Each amount is given for low, expected and high traffic (``traffic_range.py``). Traffic changes the cost of tokens and
of egress. GPUs and fixed amounts do not change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from glidepath.pricing.cost_model import HOUR_MS, WorkloadCosts
from glidepath.pricing.cost_of_traffic import ZERO
from glidepath.pricing.traffic_range import DAYS_OF_MONTH, HOURS_OF_MONTH, TrafficRange

MOST_MONTHS = Decimal(1200)  # a payback after more than a hundred years counts as none


@dataclass(frozen=True, slots=True)
class MonthlyCosts:
    """The cost of a month in three cases, at the recent rate of requests. None: unknown.

    ``now``: at the candidate's recent mean share, with copies and the evaluator.
    ``without``: at the baseline alone.
    ``target``: at the target share after the migration, without copies and the evaluator. At 100 %, the baseline's GPUs
    and fixed amounts are left out as well.
    """

    now: Decimal | None
    without: Decimal | None
    target: Decimal | None

    @property
    def saving_now(self) -> Decimal | None:
        return None if self.without is None or self.now is None else self.without - self.now

    @property
    def saving_target(self) -> Decimal | None:
        return None if self.without is None or self.target is None else self.without - self.target

    def __add__(self, other: MonthlyCosts) -> MonthlyCosts:
        return MonthlyCosts(
            _both(self.now, other.now), _both(self.without, other.without), _both(self.target, other.target)
        )


def _both(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one + other


@dataclass(frozen=True, slots=True)
class Forecast:
    """Monthly costs at low, expected and high traffic.

    ``target_share``: the share of the requests at the candidate after the migration.
    ``hours``: the length of the period on whose costs the forecast is based.
    """

    low: MonthlyCosts
    expected: MonthlyCosts
    high: MonthlyCosts
    target_share: float
    hours: Decimal
    traffic: TrafficRange


def forecast(costs: WorkloadCosts, traffic: TrafficRange, target_share: float) -> Forecast | None:
    """Return the monthly costs of a workload, from its costs in a recent period; None if the period has no length."""
    hours = Decimal(costs.to_ms - costs.from_ms) / HOUR_MS
    if hours <= 0:
        return None
    low, expected, high = (_monthly(costs, HOURS_OF_MONTH / hours, factor, target_share) for factor in traffic.factors)
    return Forecast(low, expected, high, target_share, hours, traffic)


def _monthly(costs: WorkloadCosts, months: Decimal, factor: Decimal, target_share: float) -> MonthlyCosts:
    """Return the costs of a month.

    ``months``: how many times the length of the measured time fits into a month.
    ``factor``: the traffic of the month as a multiple of the measured traffic.
    """
    of_baseline, of_candidate = costs.baseline_fixed * months, costs.candidate_fixed * months
    by_traffic = (costs.spent - costs.baseline_fixed - costs.candidate_fixed) * months * factor
    now = by_traffic + of_baseline + of_candidate if costs.is_known else None
    if costs.without is None:
        return MonthlyCosts(now, None, None)
    at_baseline = (costs.without - costs.baseline_fixed) * months * factor
    moved = _at_candidate(costs)
    if moved is None:
        return MonthlyCosts(now, at_baseline + of_baseline, None)
    share = Decimal(repr(target_share))
    mixed = at_baseline * (1 - share) + moved * share * months * factor
    kept = of_baseline if share < 1 else ZERO
    return MonthlyCosts(now, at_baseline + of_baseline, mixed + of_candidate + kept)


def _at_candidate(costs: WorkloadCosts) -> Decimal | None:
    """Return the cost of all requests at the candidate, from the mean cost of its requests or copies; None: unknown."""
    for seen in (costs.candidate, costs.copies["candidate"]):
        if seen.mean is not None:
            return (seen.mean + seen.mean_egress) * costs.requests
    return ZERO if costs.candidate_fixed and not costs.requests else None


@dataclass(frozen=True, slots=True)
class Payback:
    """The time at which the savings cover the cost of the migration.

    ``on``: the day. If it is None, ``reason`` says why there is no day.
    ``net``: the savings so far minus the one-time cost of the migration; None: unknown.
    """

    net: Decimal | None
    on: date | None
    reason: str = ""


def payback(
    saved: Decimal | None, migration: Decimal, monthly: MonthlyCosts | None, ramp_days: float | None, now_ms: int
) -> Payback:
    """Return when the savings cover the cost of the migration.

    For the next ``ramp_days`` days, the saving per month is the present one. After that, it is the saving at the target
    share. If ``ramp_days`` is None (unknown), the saving at the target share counts from now on.
    """
    if saved is None or monthly is None:
        return Payback(None, None, "the savings so far are not known")
    net = saved - migration
    today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
    if net >= 0:
        return Payback(net, today, "what was saved covers what the migration cost")
    now, then = monthly.saving_now, monthly.saving_target
    if now is None or then is None:
        return Payback(net, None, "the saving at the target share is not known")
    ramp_months = Decimal(repr(ramp_days or 0.0)) / Decimal(repr(DAYS_OF_MONTH))
    missing = -net
    if now > 0 and now * ramp_months >= missing:
        return Payback(net, _after(today, missing / now))
    missing -= now * ramp_months
    if then <= 0:
        return Payback(net, None, "never: at the target share, a month saves nothing")
    months = ramp_months + missing / then
    if months > MOST_MONTHS:
        return Payback(net, None, "not within a hundred years")
    return Payback(net, _after(today, months))


def _after(day: date, months: Decimal) -> date:
    """Return the first day on which ``months`` have passed since ``day``."""
    return day + timedelta(days=-(-float(months) * DAYS_OF_MONTH // 1))


def total_forecast(forecasts: Iterable[Forecast]) -> tuple[MonthlyCosts, MonthlyCosts, MonthlyCosts] | None:
    """Return the monthly costs of all workloads together, at low, expected and high traffic; None without workloads.

    The result assumes that all workloads have low traffic, or high traffic, at the same time.
    """
    found = list(forecasts)
    if not found:
        return None
    zero = MonthlyCosts(ZERO, ZERO, ZERO)
    return (
        sum((one.low for one in found), zero),
        sum((one.expected for one in found), zero),
        sum((one.high for one in found), zero),
    )
