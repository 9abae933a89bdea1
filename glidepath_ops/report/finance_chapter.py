"""The chapter for finance: the cost of the migration, its savings, and when the savings cover the cost. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from glidepath.duration_text import duration_text
from glidepath.history import HistoryPoint
from glidepath.pricing.cost_model import HOUR_MS, WorkloadTraffic, costs_of, fixed, traffic_in
from glidepath.pricing.forecast import Forecast
from glidepath.pricing.money_summary import MoneySummary, WorkloadMoney
from glidepath.pricing.periods_without_overlap import end_of
from glidepath.pricing.price_tables import PriceTable, price_table
from glidepath.pricing.traffic_range import FEWEST_DAYS
from glidepath_ops.costs.cost_text import (
    LEVELS,
    is_ranged,
    money_text,
    month_rows,
    payback_cells,
    spent_lines,
    spent_text,
    time_text,
    what_is_known,
)
from glidepath_ops.report.document import (
    Bars,
    Block,
    Cell,
    Chapter,
    Chart,
    NoData,
    Section,
    Series,
    Source,
    Table,
    Text,
    ToWrite,
)
from glidepath_ops.report.price_text import price_text
from glidepath_ops.report.report_facts import ReportFacts, WorkloadFacts

MOST_PERIODS = 60  # of a picture of money over time


def finance(facts: ReportFacts) -> Chapter:
    sections = [Section("All workloads", tuple(_totals(facts)))]
    sections += [
        Section(f"{one.name}: spent, saved, and monthly costs", tuple(_workload(facts, one))) for one in facts.workloads
    ]
    sections.append(Section("Prices used", tuple(_prices(facts))))
    sections.append(Section("How these amounts are computed", tuple(_method())))
    audience = "For finance: what both sides cost, what was saved so far, future monthly costs, and the payback."
    return Chapter("finance", "2. Finance", audience, sections)


def _totals(facts: ReportFacts) -> Iterator[Block]:
    money = facts.money
    if not money.workloads:
        yield NoData("costs", "the history has no traffic yet")
        return
    rows: list[list[str | Cell]] = [
        [
            "spent so far: both sides and the migration's running costs",
            spent_text(money.spent, is_known=money.is_known),
        ],
        ["the baseline alone would have cost", money_text(money.without)],
        ["saved so far", _signed(money.saved)],
        ["cost of the migration, once (costs.migration)", money_text(money.migration)],
        ["requests without a full price", f"{money.unpriced_share:.1%}"],
    ]
    yield Table(["", money.currency], rows, numbers=(1,))
    yield from _months_and_payback(money)
    saved = [one.costs.saved for one in money.workloads]
    if len(saved) > 1 and any(amount is not None for amount in saved):
        values = [None if amount is None else float(amount) for amount in saved]
        names = [one.costs.workload for one in money.workloads]
        yield Bars("Saved so far, by workload", names, [Series("saved", values, "candidate")], money.currency)
    yield Source(("glidepath cost --json",))


def _signed(amount: Decimal | None) -> str | Cell:
    return Cell(money_text(amount), "" if amount is None else "good" if amount >= 0 else "bad")


def _months_and_payback(money: MoneySummary) -> Iterator[Block]:
    if not money.monthly:
        reasons = sorted({one.no_forecast for one in money.workloads if one.no_forecast})
        yield NoData("the months to come", "; ".join(reasons) or "no workload has a forecast")
        return
    ranged = is_ranged(money)
    rows = [[f"a month, {name}", *amounts] for name, amounts in month_rows(money.monthly, ranged=ranged)]
    rows.append(["paid off", *payback_cells(money)])
    yield Table(["", *LEVELS], rows, f"By level of traffic, in {money.currency}", numbers=(1, 2, 3))
    if not money.migration:
        yield ToWrite("the one-time cost of the migration, which the payback includes (costs.migration is 0)")
    if money.ramp_days is None:
        yield Text(
            "How long the rest of the ramp takes is unknown, so the payback assumes the target share from today on."
        )


def _workload(facts: ReportFacts, one: WorkloadFacts) -> Iterator[Block]:
    money = facts.money_of(one.name)
    if money is None:
        yield NoData("costs", "the history has no traffic of this workload yet")
        return
    costs, currency = money.costs, facts.money.currency
    yield Text(f"From {time_text(costs.from_ms)} to {time_text(costs.to_ms)} UTC.")
    rows: list[list[str | Cell]] = [[name, money_text(amount)] for name, amount in spent_lines(money)]
    rows += [
        ["spent", spent_text(costs.spent, is_known=costs.is_known)],
        ["the baseline alone", money_text(costs.without)],
    ]
    rows.append(["saved so far", _signed(costs.saved)])
    yield Table(["", currency], rows, numbers=(1,))
    yield from _picture(facts, one)
    if money.forecast is None:
        yield NoData("a month", money.no_forecast)
    else:
        seen = money.forecast
        months = month_rows((seen.low, seen.expected, seen.high), ranged=not seen.traffic.reason)
        caption = f"A month, in {currency}; the target is {seen.target_share:.0%} of the requests"
        yield Table(["", *LEVELS], [[name, *row] for name, row in months], caption, (1, 2, 3))
        yield from short_time(seen)
        yield from _month_picture(money, currency)
    for line in what_is_known(money):
        yield Text(f"{line[0].upper()}{line[1:]}.")
    yield Source((f"glidepath cost -w {one.name}",))


def short_time(seen: Forecast) -> Iterator[Block]:
    """Yield a note if the forecast of future months is based on a short time."""
    if seen.traffic.days < FEWEST_DAYS:
        text = f"The forecast of a month is based on only {duration_text(float(seen.hours) * 3600)} of traffic."
        yield Text(text, "asks")


def _month_picture(money: WorkloadMoney, currency: str) -> Iterator[Block]:
    if money.forecast is None:
        return
    expected = money.forecast.expected
    amounts = (("now", expected.now), ("baseline alone", expected.without), ("at the target share", expected.target))
    names, values = [name for name, _ in amounts], [None if v is None else float(v) for _, v in amounts]
    title = f"{money.costs.workload}: a month at expected traffic"
    yield Bars(title, names, [Series("a month", values, "candidate")], currency)


def _picture(facts: ReportFacts, one: WorkloadFacts) -> Iterator[Block]:
    """Yield a chart of the savings so far, over time. Above zero, the migration has saved more than it cost to run.

    A period without a captured answer has no price of its own, so it is combined with the next periods.
    """
    money = facts.money_of(one.name)
    if money is None:
        return
    begin_ms, saved, together = one.points[0].at_ms, [0.0], list[HistoryPoint]()
    times = [begin_ms / 1000]
    for group in _grouped(one.points):
        together += group
        [cost] = costs_of([_traffic(one, money, together, begin_ms)])
        if cost.saved is None:
            continue
        saved.append(saved[-1] + float(cost.saved))
        begin_ms, together = end_of(together[-1]), []
        times.append(begin_ms / 1000)
    if len(saved) < 3:
        return
    title = f"{one.name}: saved so far, without the evaluator and the cost of the migration"
    yield Chart(title, times, [Series("saved so far", saved, "candidate")], facts.money.currency)


def _grouped(points: Sequence[HistoryPoint]) -> list[Sequence[HistoryPoint]]:
    size = max(1, -(-len(points) // MOST_PERIODS))
    return [points[at : at + size] for at in range(0, len(points), size)]


def _traffic(one: WorkloadFacts, money: WorkloadMoney, points: Sequence[HistoryPoint], from_ms: int) -> WorkloadTraffic:
    """Return the traffic of some periods and of the gap before them. (GPUs and fixed amounts cost during the gap, too.)

    The evaluator is left out, because only its total cost is known.
    """
    costs = money.costs
    hours = Decimal(costs.to_ms - costs.from_ms) / HOUR_MS
    return WorkloadTraffic(
        one.name,
        one.workload.baseline,
        one.workload.candidate,
        from_ms,
        end_of(points[-1]),
        *traffic_in(points),
        _as_charged(price_table(one.baseline.price), costs.baseline_fixed, hours),
        _as_charged(price_table(one.candidate.price), costs.candidate_fixed, hours),
    )


def _as_charged(prices: PriceTable, amount: Decimal, hours: Decimal) -> PriceTable:
    """Return prices in which GPUs and fixed amounts are reduced, so that they cost ``amount`` in ``hours``."""
    whole = fixed(prices, hours)
    part = amount / whole if whole else Decimal(1)
    return replace(prices, gpu_hours=prices.gpu_hours * part, monthly=prices.monthly * part)


def _prices(facts: ReportFacts) -> Iterator[Block]:
    used = {name for one in facts.workloads for name in (one.workload.baseline, one.workload.candidate)}
    rows = [[name, price_text(facts.config.backends[name].price, facts.money.currency)] for name in sorted(used)]
    yield Table(["backend", "prices"], rows)
    yield Source((), "backends.NAME.price and costs of the configuration")
    if any(facts.config.backends[name].price is None for name in used):
        yield NoData("a full cost", "a backend has no price; docs/how-to/report.md shows how to write it")
    yield ToWrite("whether these prices are those of the contracts, and whether discounts or taxes apply")
    if any(price is not None and price.gpus for price in (facts.config.backends[name].price for name in used)):
        yield ToWrite(
            "whether the GPUs above suffice at the target share: the amounts assume that their number stays the same"
        )


def _method() -> Iterator[Block]:
    yield Text(
        "Tokens are those that the backends state in captured answers; where they state none, they are counted with "
        "the tokenizer of the model, or estimated. The mean of these answers stands for the requests that were not "
        "captured. Prices are those of the configuration. Amounts are computed in decimal and rounded only to be shown."
    )
    yield Text(
        "Saved so far is what the baseline alone would have cost for the same requests, less all that was spent: both "
        "sides, copies and probes, the evaluator, egress, GPUs and fixed amounts. It includes the cost of people only "
        "as far as costs.migration contains it. Copies can be limited by shadow.sample, shadow.same_side and "
        "shadow.budget."
    )
    yield Text(
        "A month has the requests of the last week: now, at the share and with the copies of that week; at the target "
        "share, without copies. Low and high are the ends of a 90 % interval of a month's traffic, from the variation "
        "of whole days; trends and seasons are not considered. No amount includes: prices that depend on the length of "
        "a prompt, discounts by volume, taxes, answers that a client did not wait for, and requests that Envoy served "
        "from the baseline while no scorer leased the split (if_lost: baseline)."
    )
