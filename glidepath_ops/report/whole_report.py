"""The whole report: a summary of the four cases, and a chapter for each. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from glidepath.pluralization import number_of
from glidepath.printable_text import one_line
from glidepath_ops.costs.cost_text import money_text, payback_text, time_text
from glidepath_ops.report.document import Block, Cell, Document, NoData, Source, Table, Text
from glidepath_ops.report.engineering_chapter import engineering
from glidepath_ops.report.finance_chapter import finance, short_time
from glidepath_ops.report.gate_summary import gates_text
from glidepath_ops.report.legal_chapter import legal
from glidepath_ops.report.procurement_chapter import procurement
from glidepath_ops.report.report_facts import ReportFacts, WorkloadFacts


def whole_report(facts: ReportFacts) -> Document:
    names = ", ".join(one.name for one in facts.workloads)
    begin = "all that is stored" if facts.since_ms == 0 else f"since {time_text(facts.since_ms)} UTC"
    about = [
        ("Workloads", names),
        ("Made", f"{time_text(facts.now_ms)} UTC by Glidepath {facts.version}"),
        ("Time", begin),
    ]
    if facts.demo:
        about.append(("Traffic", "of glidepath demo: not of your users, and at invented prices"))
    chapters = (engineering(facts), finance(facts), legal(facts), procurement(facts))
    return Document(f"The case for moving {names}", about, tuple(_summary(facts)), chapters)


def _summary(facts: ReportFacts) -> Iterator[Block]:
    about = ("workload", "from → to", "share now", "phase", "gates", "can move")
    rows = [_row(facts, one) for one in facts.workloads]
    caption = f"Amounts in {facts.money.currency}"
    yield Table((*about, "saved so far", "saved in a month at the target"), rows, caption, (2, 5, 6, 7))
    for one in facts.workloads:
        back = [decision for decision in one.decisions if decision.to_percent < decision.from_percent]
        if back:
            last = f"the last on {time_text(back[-1].at_ms)} UTC: {one_line(back[-1].reason)}"
            yield Text(f"{one.name} went back {number_of(len(back), 'time')} in this period, {last}.")
    if facts.money.paybacks:
        yield Text(f"Paid off, at expected traffic: {payback_text(facts.money.paybacks[1])}.")
        for money in facts.money.workloads:
            if money.forecast is not None:
                yield from short_time(money.forecast)
    else:
        yield NoData("the payback", "it needs prices of both sides and traffic of the last week")
    yield Source(("glidepath report",), "each section below names the command that reproduces its numbers")


def _row(facts: ReportFacts, one: WorkloadFacts) -> list[str | Cell]:
    money, status = facts.money_of(one.name), one.status
    monthly = money.forecast.expected.saving_target if money is not None and money.forecast is not None else None
    return [
        one.name,
        f"{one.workload.baseline} → {one.workload.candidate}",
        "–" if status is None else f"{status.percent:g} %",
        "–" if status is None else status.phase.replace("_", " "),
        _gates(one),
        f"{one.movable.share:.0%}" if one.movable else "not known yet",
        money_text(money.costs.saved) if money is not None else "–",
        money_text(monthly),
    ]


def _gates(one: WorkloadFacts) -> str | Cell:
    if one.status is None:
        return "no evidence yet"
    text = gates_text(one.status)
    return Cell(text, "bad" if text.startswith("✗") else "good" if text.startswith("✓") else "")
