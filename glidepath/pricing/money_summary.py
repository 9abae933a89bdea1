"""The money of all workloads in one record: spent, saved, future months, and the payback. Pure.

``glidepath cost``, the console and the report show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from glidepath.config import Config
from glidepath.history import HistoryPoint
from glidepath.pricing.cost_model import WorkloadCosts, WorkloadTraffic, costs_of, traffic_in
from glidepath.pricing.cost_of_traffic import ZERO
from glidepath.pricing.forecast import Forecast, MonthlyCosts, Payback, forecast, payback, total_forecast
from glidepath.pricing.periods_without_overlap import end_of
from glidepath.pricing.price_tables import decimal, price_table
from glidepath.pricing.traffic_range import DAY_MS, traffic_range, whole_days

RATE_MS = 7 * DAY_MS  # the present rate is computed from the last week


@dataclass(frozen=True, slots=True)
class WorkloadHistory:
    """The data about a workload from which its costs are computed.

    - ``points``: its periods, in order of time, without overlap (``periods_without_overlap.py``)
    - ``percent``, ``phase``: the candidate's share and the ramp's phase now
    - ``movable``: the share of the requests that can move; None if unknown
    - ``evaluator``: what the evaluator has cost since the beginning
    - ``ramp_s``: the remaining time of the ramp in seconds; None if unknown
    """

    workload: str
    points: Sequence[HistoryPoint]
    percent: float = 0.0
    movable: float | None = None
    evaluator: Decimal = ZERO
    ramp_s: float | None = None
    phase: str = ""


@dataclass(frozen=True, slots=True)
class WorkloadMoney:
    """The costs of a workload so far, and its forecast. ``no_forecast``: why there is no forecast."""

    costs: WorkloadCosts
    percent: float
    forecast: Forecast | None
    no_forecast: str = ""


@dataclass(frozen=True, slots=True)
class MoneySummary:
    """The costs, savings and payback of all workloads.

    ``monthly``, ``paybacks``: at low, expected and high traffic; () if unknown.
    ``spent``, ``without``, ``saved``: since the start of the history. ``without`` and ``saved`` are None if they are
    unknown for any workload.
    """

    currency: str
    migration: Decimal
    workloads: tuple[WorkloadMoney, ...]
    monthly: tuple[MonthlyCosts, ...]
    paybacks: tuple[Payback, ...]
    ramp_days: float | None

    @property
    def spent(self) -> Decimal:
        return sum((one.costs.spent for one in self.workloads), ZERO)

    @property
    def is_known(self) -> bool:
        """Whether every side with requests has prices. If not, ``spent`` is lower than the real spending."""
        return all(one.costs.is_known for one in self.workloads)

    @property
    def without(self) -> Decimal | None:
        return _sum([one.costs.without for one in self.workloads])

    @property
    def saved(self) -> Decimal | None:
        return _sum([one.costs.saved for one in self.workloads])

    @property
    def unpriced_share(self) -> float:
        """The mean of the workloads' unpriced shares, weighted by their requests."""
        requests = sum(one.costs.requests for one in self.workloads)
        unpriced = sum(one.costs.unpriced_share * one.costs.requests for one in self.workloads)
        return unpriced / requests if requests else 0.0


def _sum(amounts: Sequence[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, ZERO) if amounts and len(known) == len(amounts) else None


def sharing_backends(config: Config, names: Sequence[str]) -> list[str]:
    """Return the workloads ``names``, then all others that share with them a backend whose cost depends on time."""
    used = {backend for name in names for backend in _backends(config, name)}
    by_time = {name for name in used if price_table(config.backends[name].price).by_time}
    return [*names, *(name for name in config.workloads if name not in names and by_time & _backends(config, name))]


def _backends(config: Config, name: str) -> set[str]:
    return {config.workload(name).baseline, config.workload(name).candidate}


def money_summary(
    config: Config, histories: Sequence[WorkloadHistory], now_ms: int, others: Sequence[WorkloadHistory] = ()
) -> MoneySummary:
    """Return the summary for the workloads in ``histories``.

    ``others``: the histories of workloads that share backends with them. They only serve to divide the GPUs and fixed
    amounts, and are not in the summary.
    """
    known = [history for history in histories if history.points]
    all_known = [*known, *(history for history in others if history.points)]
    so_far = costs_of([_traffic(config, history, history.points) for history in all_known])
    recent = costs_of([_traffic(config, history, _recent(history.points)) for history in all_known])
    workloads = tuple(
        WorkloadMoney(costs, history.percent, *_forecast(config, history, lately))
        for history, costs, lately in zip(known, so_far, recent, strict=False)
    )
    found = total_forecast([one.forecast for one in workloads if one.forecast is not None])
    monthly = found if found is not None and all(one.forecast for one in workloads) else ()
    ramps = [history.ramp_s for history in known]
    ramp_days = max(filter(None, ramps), default=0.0) / 86_400 if None not in ramps else None
    summary = MoneySummary(config.costs.currency, decimal(config.costs.migration), workloads, monthly, (), ramp_days)
    paybacks = tuple(payback(summary.saved, summary.migration, level, ramp_days, now_ms) for level in monthly)
    return replace(summary, paybacks=paybacks)


def _traffic(config: Config, history: WorkloadHistory, points: Sequence[HistoryPoint]) -> WorkloadTraffic:
    workload = config.workload(history.workload)
    begin, end = history.points[0].at_ms, end_of(history.points[-1])
    from_ms, to_ms = points[0].at_ms, end_of(points[-1])
    part = Decimal(to_ms - from_ms) / Decimal(end - begin)
    return WorkloadTraffic(
        history.workload,
        workload.baseline,
        workload.candidate,
        from_ms,
        to_ms,
        *traffic_in(points),
        price_table(config.backends[workload.baseline].price),
        price_table(config.backends[workload.candidate].price),
        history.evaluator * part,
    )


def _recent(points: Sequence[HistoryPoint]) -> Sequence[HistoryPoint]:
    since = end_of(points[-1]) - RATE_MS
    return [point for point in points if point.at_ms >= since]


def _forecast(config: Config, history: WorkloadHistory, recent: WorkloadCosts) -> tuple[Forecast | None, str]:
    if not recent.requests:
        return None, "no client's request was answered in the last week"
    last_step = max(config.workload(history.workload).ramp.steps, default=0.0) / 100
    target = min(last_step, 1.0 if history.movable is None else history.movable)
    days = whole_days(history.points, history.points[0].at_ms, end_of(history.points[-1]))
    found = forecast(recent, traffic_range(days), target)
    return found, "" if found is not None else "the history has no length"
