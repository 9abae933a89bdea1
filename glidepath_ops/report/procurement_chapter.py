"""The chapter for procurement: the alternatives side by side, and the dates of the contracts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

from glidepath.config.backends import Backend
from glidepath.duration_text import duration_text
from glidepath.pricing.contract_dates import ContractDates, contract_dates
from glidepath.pricing.cost_of_traffic import TrafficCost
from glidepath.pricing.money_summary import WorkloadMoney
from glidepath.status_and_decisions import SideStatus
from glidepath_ops.costs.cost_text import money_text
from glidepath_ops.report.document import Block, Cell, Chapter, NoData, Section, Source, Table, Text, ToWrite
from glidepath_ops.report.gate_summary import gates_text
from glidepath_ops.report.price_text import price_text
from glidepath_ops.report.report_facts import ReportFacts, WorkloadFacts, hardware_text, host_of

_THOUSAND = Decimal(1000)
ALL_IN = "1,000 requests, with GPUs and fixed amounts, if it served all requests"


def procurement(facts: ReportFacts) -> Chapter:
    sections = [
        Section(f"{one.name}: the alternatives side by side", tuple(_alternatives(facts, one)))
        for one in facts.workloads
    ]
    sections.append(Section("Contracts", tuple(_contracts(facts))))
    sections.append(Section("What else a negotiation needs", tuple(_open_questions())))
    audience = "For procurement: what the alternatives cost and do, and when a decision is due."
    return Chapter("procurement", "4. Procurement", audience, sections)


def _alternatives(facts: ReportFacts, one: WorkloadFacts) -> Iterator[Block]:
    money = facts.money_of(one.name)
    rows = [
        _row("backend", one, lambda _, name: name),
        _row("host", one, lambda backend, _: host_of(backend)),
        _row("model", one, lambda backend, _: backend.model or "as the client asks"),
        _row("hardware", one, lambda backend, _: hardware_text(backend)),
        _row("region", one, lambda backend, _: backend.region or "not declared"),
        _row(
            "longest context",
            one,
            lambda backend, _: f"{backend.context:,} tokens" if backend.context else "not declared",
        ),
        _row("prices", one, lambda backend, _: price_text(backend.price, facts.money.currency)),
        *_measured_rows(one, money, facts.money.currency),
    ]
    yield Table(["", "baseline", "candidate"], rows)
    movable = str(one.movable) if one.movable else "movable share: not measured yet, it needs copies to the candidate"
    yield Text(f"{movable[0].upper()}{movable[1:]}.")
    commands = (f"glidepath status -w {one.name} --json", f"glidepath cost -w {one.name} --json")
    yield Source((*commands, "glidepath plan --measured"))


def _row(name: str, one: WorkloadFacts, of: Callable[[Backend, str], str]) -> list[str]:
    return [name, of(one.baseline, one.workload.baseline), of(one.candidate, one.workload.candidate)]


def _measured_rows(one: WorkloadFacts, money: WorkloadMoney | None, currency: str) -> Iterator[list[str]]:
    if money is not None:
        costs = money.costs
        seen = (costs.baseline, _best(costs.candidate, costs.copies["candidate"]))
        fixed = (costs.baseline_fixed, costs.candidate_fixed)
        yield ["1,000 requests, tokens and egress", *(_of_thousand(cost, currency) for cost in seen)]
        yield [
            "GPUs and fixed amounts in the report's period",
            *(f"{money_text(amount)} {currency}" for amount in fixed),
        ]
        yield [ALL_IN, *(_all_in(cost, part, costs.requests, currency) for cost, part in zip(seen, fixed, strict=True))]
        yield ["tokens of a request, in and out", *(_tokens_of(cost, one, at) for at, cost in enumerate(seen))]
    if one.status is not None:
        sides = (one.status.baseline, one.status.candidate)
        yield ["latency p95, this step", *(_ms(side.p95_ms) for side in sides)]
        yield ["first byte p50, this step", *(_ms(side.ttft_p50_ms) for side in sides)]
        yield ["errors, this step", *(_error_text(side) for side in sides)]
        yield ["gates, this step", "–", gates_text(one.status)]


def _best(live: TrafficCost, copies: TrafficCost) -> TrafficCost:
    """Return the cost of the candidate's live requests, or of its copies if no live request has a known price."""
    return live if live.mean is not None or copies.mean is None else copies


def _of_thousand(cost: TrafficCost, currency: str) -> str:
    if cost.mean is None:
        return "unknown: no answer with known tokens and prices"
    return f"{money_text((cost.mean + cost.mean_egress) * _THOUSAND)} {currency}"


def _all_in(cost: TrafficCost, fixed: Decimal, requests: int, currency: str) -> str:
    """Return the cost of a thousand requests, fixed amounts included, as if the side served all requests."""
    if cost.mean is None or not requests:
        return "unknown"
    return f"{money_text((cost.mean + cost.mean_egress + fixed / requests) * _THOUSAND)} {currency}"


def _tokens_of(cost: TrafficCost, one: WorkloadFacts, at: int) -> str:
    traffic = [point.baseline.traffic if at == 0 else point.candidate.traffic for point in one.points]
    usage = [seen for side in traffic for seen in (*side.live.usage, *(side.copies.usage if at else ()))]
    answers = sum(seen.answers for seen in usage)
    if not answers:
        return "unknown"
    return f"{sum(s.input for s in usage) / answers:,.0f} in, {sum(s.output for s in usage) / answers:,.0f} out"


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f} ms"


def _error_text(side: SideStatus) -> str:
    return f"{side.errors / side.requests:.2%} of {side.requests:,}" if side.requests else "–"


def _contracts(facts: ReportFacts) -> Iterator[Block]:
    rows: list[list[str | Cell]] = []
    for name, backend in facts.config.backends.items():
        if backend.contract is None:
            continue
        users = [one for one in facts.workloads if one.workload.baseline == name]
        known = [one.ramp_s for one in users]
        ramp_s = None if not users or None in known else max(filter(None, known), default=0.0)
        dates = contract_dates(backend.contract, ramp_s, facts.now_ms)
        minimum = (
            f"{backend.contract.minimum:,g} {facts.money.currency}" if backend.contract.minimum is not None else "none"
        )
        rows.append([name, *_dates(dates), minimum, "unknown" if ramp_s is None else _ramp(ramp_s)])
    if not rows:
        yield NoData(
            "contracts",
            "no backend has a contract in the configuration: backends.NAME.contract with renewal and notice",
        )
        return
    heads = ["backend", "renewal", "notice until", "latest start of a ramp", "minimum a month", "rest of the ramp"]
    yield Table(heads, rows)
    yield Text(
        "The latest start is the day of notice less the rest of the longest ramp of this report's workloads that this "
        "backend serves as baseline, in the median of glidepath plan. It leaves no time for a validation after it."
    )
    for one in facts.workloads:
        if one.ramp_s is None:
            yield NoData(f"the ramp of {one.name}", one.no_ramp)
    yield Source(("glidepath plan --rate WORKLOAD=REQUESTS_PER_SECOND",), "and backends.NAME.contract")


def _ramp(seconds: float) -> str:
    return "none: it is completed" if seconds == 0 else f"about {duration_text(seconds)}"


def _dates(dates: ContractDates) -> list[str | Cell]:
    notice = Cell(_day(dates.notice_by.isoformat(), dates.days_to_notice), "bad" if dates.days_to_notice < 0 else "")
    renewal = _day(dates.renewal.isoformat(), dates.days_to_renewal)
    if dates.start_by is None or dates.days_to_start is None:
        return [renewal, notice, "unknown, because the duration of the ramp is"]
    late = dates.days_to_start < 0
    return [renewal, notice, Cell(_day(dates.start_by.isoformat(), dates.days_to_start), "bad" if late else "")]


def _day(day: str, left: int) -> str:
    if left < 0:
        return f"{day}, {-left} days ago"
    return f"{day}, today" if left == 0 else f"{day}, in {left} days"


def _open_questions() -> Iterator[Block]:
    yield ToWrite(
        "discounts by volume or commitment that either provider offers, and what remains to be paid after notice"
    )
    yield ToWrite("service levels and support that either side promises, and their penalties")
    yield ToWrite("delivery times, depreciation and residual value of own hardware")
