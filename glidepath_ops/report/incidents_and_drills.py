"""The history of a workload: incidents, drills, and the pairs that weighed for a decision. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from glidepath.pluralization import number_of
from glidepath.printable_text import one_line, shown_id
from glidepath_ops.costs.cost_text import time_text
from glidepath_ops.drill_command import drill_command
from glidepath_ops.report.document import Block, Cell, NoData, Source, Table, Text
from glidepath_ops.report.report_facts import ReportFacts, WorkloadFacts

MOST_INCIDENTS, MOST_DECISIONS, PAIRS_OF_A_DECISION = 40, 6, 4
_EVENTS = (
    *("rollback", "shadow_failed", "guard_overridden", "gate_holds", "abort", "hold", "unexpected_traffic", "blind"),
    *("credential_refused", "path_not_found", "side_not_answering", "envoy_failing", "other_configuration"),
    *("tick_failed", "state_discarded", "probe_failed", "invalid_override"),
)


def incidents(one: WorkloadFacts) -> Iterator[Block]:
    causes = {d.details.get("target"): d.reason for d in one.decisions if d.event == "annotate"}
    found = [d for d in one.decisions if d.event in _EVENTS or d.to_percent < d.from_percent]
    if not found:
        yield Text("There was no rollback, hold or failure in this period.")
    else:
        rows = [
            [
                f"{time_text(d.at_ms)} UTC",
                d.event.replace("_", " "),
                f"{d.from_percent:g} % → {d.to_percent:g} %",
                one_line(d.reason),
                one_line(d.actor),
                one_line(causes.get(d.id, "")) or "not noted yet",
            ]
            for d in found[-MOST_INCIDENTS:]
        ]
        yield Table(["time", "event", "share", "why", "by", "root cause, by a person"], rows)
        if len(found) > MOST_INCIDENTS:
            yield Text(f"{len(found) - MOST_INCIDENTS} earlier ones are in the log.")
    yield Source((f"glidepath log -w {one.name}",), "to add a root cause: glidepath log annotate ID --cause TEXT")


def drills(one: WorkloadFacts) -> Iterator[Block]:
    found = [d for d in one.decisions if d.event == "drill_finished"]
    command = drill_command(one.name, one.status)
    if not found:
        yield NoData("drills", f"no rollback was rehearsed in this period; {command} rehearses one")
        return
    rows: list[list[str | Cell]] = []
    for d in found[-MOST_INCIDENTS:]:
        passed = bool(d.details.get("passed"))
        times = (d.details.get("confirmed_after_ms"), d.details.get("last_request_after_ms"))
        rows.append(
            [
                f"{time_text(d.at_ms)} UTC",
                Cell("✓ passed" if passed else "✗ failed", "good" if passed else "bad"),
                *(f"{ms:,} ms" if isinstance(ms, int) else "–" for ms in times),
                one_line(d.reason),
                one_line(d.actor),
            ]
        )
    yield Table(
        ["time", "result", "confirmed after", "last request after", "what was seen", "by"], rows, numbers=(2, 3)
    )
    yield Source((f"glidepath log -w {one.name}",), f"a new drill: {command}")


def weighed_pairs(facts: ReportFacts, one: WorkloadFacts) -> Iterator[Block]:
    weighed = [(d, pair) for d in one.decisions for pair in d.weighed_pairs]
    if not weighed:
        yield NoData(
            "pairs that weighed for a decision", "no gate on pairs stopped or lowered the share in this period"
        )
        return
    rows: list[list[str | Cell]] = []
    for d in [decision for decision in one.decisions if decision.weighed_pairs][-MOST_DECISIONS:]:
        for pair in d.weighed_pairs[:PAIRS_OF_A_DECISION]:
            result = one.results.get(pair.id)
            begun = [_excerpt(side.excerpt) for side in (result.baseline, result.candidate)] if result else ["–", "–"]
            why = f"{d.event.replace('_', ' ')} by {d.trigger}, {time_text(d.at_ms)}"
            link = Cell(shown_id(pair.id), href=facts.pair_link(one.name, pair.id))
            rows.append([link, why, f"{pair.weight:.2f}", *(begun if one.results else [])])
    heads = ["pair", "weighed for", "weight", *(["baseline began", "candidate began"] if one.results else [])]
    caption = (
        f"{len(rows)} of {number_of(len(weighed), 'pair')}, the heaviest of each decision; links lead to the console"
    )
    yield Table(heads, rows, caption, numbers=(2,))
    if facts.config.redaction.excerpts == 0:
        yield Text("No text of an answer is shown, because the policy keeps no excerpts (redaction.excerpts is 0).")
    yield Source((f"glidepath pairs show ID -w {one.name}",))


def _excerpt(text: str) -> str:
    return one_line(text[:120]) or "–"
