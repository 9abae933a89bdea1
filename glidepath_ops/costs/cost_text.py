"""The costs and savings of the workloads as text, and as JSON values. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from glidepath.duration_text import duration_text
from glidepath.pluralization import number_of
from glidepath.pricing.cost_of_traffic import TrafficCost
from glidepath.pricing.forecast import Forecast, MonthlyCosts, Payback
from glidepath.pricing.money_summary import MoneySummary, WorkloadMoney

CENT = Decimal("0.01")
UNKNOWN = "unknown"
LEVELS = ("low", "expected", "high")
_KINDS = {
    "cached_read": "cached input",
    "cached_write": "input written to a cache",
    "cached_write_1h": "input written to a cache for an hour",
    "audio_input": "audio input",
    "audio_output": "audio output",
}


def money_text(amount: Decimal | None) -> str:
    """Return an amount with two decimals, or with more below one cent; "unknown" for None."""
    if amount is None:
        return UNKNOWN
    if amount and abs(amount) < CENT:
        return f"{amount:.2g}" if abs(amount) >= Decimal("0.00001") else ("−" if amount < 0 else "") + "< 0.00001"
    return f"{amount.quantize(CENT, ROUND_HALF_UP):,}".replace("-", "−")


def time_text(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def kind_text(kind: str) -> str:
    """Return the name of a kind of tokens for people, after the name of the tier if that tier has no prices."""
    tier, _, name = kind.rpartition(" ")
    return f"{tier} {_KINDS.get(name, name)}".strip()


def cost_lines(summary: MoneySummary) -> Iterator[str]:
    """Yield the lines of ``glidepath cost``."""
    if not summary.workloads:
        yield "no history yet: a scorer writes it while it steers, and the first period ends after 10 s"
        return
    for one in summary.workloads:
        yield from _workload_lines(one, summary.currency)
    yield from _total_lines(summary)


def _workload_lines(one: WorkloadMoney, currency: str) -> Iterator[str]:
    costs = one.costs
    length = duration_text((costs.to_ms - costs.from_ms) / 1000)
    yield f"{costs.workload}: {time_text(costs.from_ms)} to {time_text(costs.to_ms)} UTC ({length}), in {currency}"
    for name, amount in spent_lines(one):
        yield _row(name, money_text(amount))
    yield _row("spent", spent_text(costs.spent, is_known=costs.is_known))
    yield _row("without the migration", money_text(costs.without))
    yield _row("saved so far", money_text(costs.saved))
    if one.forecast is not None:
        yield from _month_lines(one.forecast)
    else:
        yield f"  a month: unknown, because {one.no_forecast}"
    yield from (f"  {line}" for line in what_is_known(one))


def spent_text(spent: Decimal, *, is_known: bool) -> str:
    """Return the amount spent as text. If a side has no prices, the text says that the real amount is higher."""
    return money_text(spent) if is_known else f"at least {money_text(spent)}"


def spent_lines(one: WorkloadMoney) -> list[tuple[str, Decimal | None]]:
    """Return the items on which the workload's money was spent. Their sum is ``spent``. None: unknown."""
    costs = one.costs
    of_copies = None if any(cost.is_unknown for cost in costs.copies.values()) else costs.of_copies
    copies = sum(cost.requests for cost in costs.copies.values())
    return [
        (f"baseline, {costs.baseline.requests:,} requests", _known(costs.baseline)),
        (f"candidate, {costs.candidate.requests:,} requests", _known(costs.candidate)),
        (f"copies and probes, {copies:,}", of_copies),
        ("evaluator", costs.evaluator),
        ("egress", costs.egress),
        ("baseline's GPUs and fixed amounts", costs.baseline_fixed),
        ("candidate's GPUs and fixed amounts", costs.candidate_fixed),
    ]


def _known(cost: TrafficCost) -> Decimal | None:
    return None if cost.is_unknown else cost.amount


def what_is_known(one: WorkloadMoney) -> list[str]:
    """Return lines on the sources of a workload's amounts, and on the parts that are missing from them."""
    costs, lines = one.costs, list[str]()
    sides = {"baseline": costs.baseline, "candidate": costs.candidate}
    for name, seen in sides.items():
        if seen.requests:
            lines.append(f"{name}: tokens known for {seen.known:,} of {seen.requests:,} requests, {_measured(seen)}")
    for name, seen in costs.copies.items():
        if seen.requests:
            lines.append(f"copies to {name}: tokens known for {seen.known:,} of {seen.requests:,}")
    without = [name for name, seen in (*sides.items(), *costs.copies.items()) if seen.is_unknown]
    lines += [f"no price for the {name}: set backends.NAME.price" for name in dict.fromkeys(without)]
    lines.append(f"unpriced: {costs.unpriced_share:.1%} of the requests and copies{_lacking(one)}")
    assumed = {kind for cost in _all(one) for kind in cost.of_known.assumed}
    if assumed:
        kinds = ", ".join(sorted(map(kind_text, assumed)))
        lines.append(f"without a price of their own, so charged as other tokens: {kinds}")
    if costs.moved_by == "tokens":
        lines.append(
            "the candidate's own tokens are priced at the baseline's prices, because the baseline answered "
            "too few requests"
        )
    if one.forecast is not None and one.forecast.traffic.reason:
        lines.append(f"no low and high: {one.forecast.traffic.reason}")
    return lines


def _measured(cost: TrafficCost) -> str:
    if not cost.known:
        return "so their price is unknown" if cost.unpriced else "which cost nothing by themselves"
    if cost.measured == cost.known:
        return "all stated by the backend"
    others = cost.known - cost.measured - cost.by_tokenizer
    ways = (
        (cost.measured, "stated by the backend"),
        (cost.by_tokenizer, "counted by the tokenizer"),
        (others, "estimated"),
    )
    return ", ".join(f"{answers / cost.known:.0%} {way}" for answers, way in ways if answers)


def _lacking(one: WorkloadMoney) -> str:
    kinds = sorted({kind for cost in _all(one) for kind in cost.of_known.unpriced})
    return f" (no price for {', '.join(map(kind_text, kinds))})" if kinds else ""


def _all(one: WorkloadMoney) -> tuple[TrafficCost, ...]:
    return one.costs.baseline, one.costs.candidate, *one.costs.copies.values()


_MONTHLY: tuple[tuple[str, Callable[[MonthlyCosts], Decimal | None]], ...] = (
    ("now", lambda month: month.now),
    ("without the migration", lambda month: month.without),
    ("at the target share", lambda month: month.target),
    ("saved at the target share", lambda month: month.saving_target),
)


def month_rows(months: tuple[MonthlyCosts, ...], *, ranged: bool = True) -> list[tuple[str, list[str]]]:
    """Return the monthly costs: the name of each row, and the amounts at low, expected and high traffic.

    ``ranged``: whether low and high are known. If not, they are shown as "–".
    """
    rows = []
    for name, of_month in _MONTHLY:
        low, expected, high = ([money_text(of_month(month)) for month in months] or [UNKNOWN] * 3)[:3]
        rows.append((name, [low, expected, high] if ranged else ["–", expected, "–"]))
    return rows


def is_ranged(summary: MoneySummary) -> bool:
    """Return whether low and high traffic are known for at least one workload."""
    return any(one.forecast is not None and not one.forecast.traffic.reason for one in summary.workloads)


def payback_cells(summary: MoneySummary) -> list[str]:
    """Return the day of the payback at low, expected and high traffic.

    Return only the expected one, between empty texts, if all three are the same or no range of the traffic is known.
    """
    texts = [payback_text(found) for found in summary.paybacks]
    return ["", *texts[1:2], ""] if len(set(texts)) <= 1 or not is_ranged(summary) else texts


def _month_lines(forecast: Forecast) -> Iterator[str]:
    rate = duration_text(float(forecast.hours) * 3600)
    yield f"  a month at the rate of the last {rate}, target {forecast.target_share:.0%} of the requests"
    yield _row("", *LEVELS)
    months = (forecast.low, forecast.expected, forecast.high)
    for name, amounts in month_rows(months, ranged=not forecast.traffic.reason):
        yield _row(name, *amounts)


def _total_lines(summary: MoneySummary) -> Iterator[str]:
    yield f"total of {number_of(len(summary.workloads), 'workload')}, in {summary.currency}"
    yield _row("spent", spent_text(summary.spent, is_known=summary.is_known))
    yield _row("saved so far", money_text(summary.saved))
    yield _row("cost of the migration, once", money_text(summary.migration))
    if not summary.monthly:
        return
    yield _row("", *LEVELS)
    for name, amounts in month_rows(summary.monthly, ranged=is_ranged(summary)):
        yield _row(f"a month, {name}", *amounts)
    yield _row("paid off", *payback_cells(summary))
    rest = "of unknown length, so it is not counted" if summary.ramp_days is None else f"{summary.ramp_days:.1f} d"
    yield _row("the rest of the ramp until then", "", rest)


def payback_text(found: Payback) -> str:
    if found.on is None:
        return found.reason
    return "already" if found.net is not None and found.net >= 0 else found.on.isoformat()


def _row(name: str, *cells: str) -> str:
    return f"    {name:<38}" + "".join(f"{cell:>16}" for cell in cells)


def brief_line(summary: MoneySummary) -> str:
    """Return the costs and savings of the workloads in one line, or "" if no traffic or no price is known."""
    if not any(one.costs.of_prices for one in summary.workloads):
        return ""
    currency = summary.currency
    spent = spent_text(summary.spent, is_known=summary.is_known)
    parts = [f"spent {spent} {currency}", f"saved {money_text(summary.saved)} {currency} so far"]
    if summary.monthly:
        saving = money_text(summary.monthly[1].saving_target)
        parts.append(f"at the target share, a month saves {saving} {currency} at expected traffic")
        parts.append(f"paid off: {payback_text(summary.paybacks[1])}")
    return "; ".join(parts)


def cost_record(summary: MoneySummary) -> dict[str, Any]:
    """Return the summary as JSON values. Amounts are texts, so that they keep all digits."""
    return {
        "currency": summary.currency,
        "migration": _amount(summary.migration),
        "spent": _amount(summary.spent),
        "without": _amount(summary.without),
        "saved": _amount(summary.saved),
        "unpriced_share": summary.unpriced_share,
        "monthly": _levels([_monthly(month) for month in summary.monthly]),
        "payback": _levels([_payback(found) for found in summary.paybacks]),
        "ramp_days": summary.ramp_days,
        "workloads": [_workload_record(one) for one in summary.workloads],
    }


def _workload_record(one: WorkloadMoney) -> dict[str, Any]:
    costs, seen = one.costs, one.forecast
    months = (seen.low, seen.expected, seen.high) if seen is not None else ()
    return {
        "workload": costs.workload,
        "from_ms": costs.from_ms,
        "to_ms": costs.to_ms,
        "percent": one.percent,
        "requests": {"baseline": costs.baseline.requests, "candidate": costs.candidate.requests},
        "spent": _amount(costs.spent),
        "baseline": _amount(costs.baseline.amount),
        "candidate": _amount(costs.candidate.amount),
        "copies": {side: _amount(cost.amount) for side, cost in costs.copies.items()},
        "evaluator": _amount(costs.evaluator),
        "egress": _amount(costs.egress),
        "baseline_fixed": _amount(costs.baseline_fixed),
        "candidate_fixed": _amount(costs.candidate_fixed),
        "without": _amount(costs.without),
        "saved": _amount(costs.saved),
        "unpriced_share": costs.unpriced_share,
        "measured_share": costs.measured_share,
        "monthly": _levels([_monthly(month) for month in months]),
        "target_share": seen.target_share if seen is not None else None,
        "no_forecast": one.no_forecast,
        "notes": what_is_known(one),
    }


def _levels(values: list[Any]) -> dict[str, Any]:
    return dict(zip(LEVELS, values, strict=False))


def _monthly(month: MonthlyCosts) -> dict[str, str | None]:
    return {
        "now": _amount(month.now),
        "without": _amount(month.without),
        "target": _amount(month.target),
        "saving_now": _amount(month.saving_now),
        "saving_target": _amount(month.saving_target),
    }


def _payback(found: Payback) -> dict[str, str | None]:
    return {"on": found.on.isoformat() if found.on else None, "net": _amount(found.net), "reason": found.reason}


def _amount(amount: Decimal | None) -> str | None:
    """Return an amount with six decimals, as text; None for None."""
    return None if amount is None else f"{amount:.6f}"
