"""The chapter for engineers: quality, latency, errors, incidents, drills, and pairs that affected decisions. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from glidepath.answer_contract import contract_counts
from glidepath.duration_text import duration_text
from glidepath.history import HistoryPoint
from glidepath.outcome_summaries import PINNED, Coverage
from glidepath.pricing.traffic_range import rate_of
from glidepath.printable_text import one_line
from glidepath.status_and_decisions import Decision, SideStatus, Verdict, WorkloadStatus
from glidepath_ops.costs.cost_text import time_text
from glidepath_ops.evidence_text import BASES
from glidepath_ops.report.document import (
    Block,
    Cell,
    Chapter,
    Mark,
    NoData,
    Section,
    Source,
    Table,
    Text,
)
from glidepath_ops.report.incidents_and_drills import drills, incidents, weighed_pairs
from glidepath_ops.report.report_facts import ReportFacts, WorkloadFacts
from glidepath_ops.report.time_series import Kind, Value, chart_over_time

MOST_KINDS = 12
STANDING = ("held", "cooling_down", "aborted", "awaiting_approval", "rolling_back")  # phases in which no step is taken
NEVER = "no scorer has steered this workload yet"
# The beginning of a gate's name → the instrument, and the question that it answers
_INSTRUMENTS = (
    ("sameness", "sameness", "the same as the baseline's answer?"),
    ("defects", "defects", "broken, whatever the baseline answers?"),
    ("preference", "evaluator's preference", "as good as the baseline's answer?"),
    ("correctness", "correctness", "right?"),
    ("exactness", "exact calls", "exactly the same call?"),
    ("feedback", "people's feedback", "do users accept it?"),
    ("recall", "recall of a class", "is the class found?"),
    ("precision", "precision of a class", "is the class right?"),
    ("fact", "a fact signal", "does a fact of this kind change?"),
    ("signal", "a fact signal", "does a fact of this kind change?"),
    ("latency", "latency", "as quick?"),
    ("ttft", "latency", "as quick?"),
    ("error", "errors", "does it answer?"),
    ("candidate_down", "errors", "does it answer at all?"),
    ("clients_leave", "errors", "do clients leave?"),
    ("envoy", "errors", "does Envoy serve it?"),
    ("split", "split", "is the share what was asked for?"),
)


def engineering(facts: ReportFacts) -> Chapter:
    sections = chain.from_iterable(_workload(facts, one) for one in facts.workloads)
    audience = "For platform and ML engineers: does the candidate work as well, and what happened during the ramp?"
    return Chapter("engineering", "1. Engineering", audience, tuple(sections))


def _workload(facts: ReportFacts, one: WorkloadFacts) -> Iterator[Section]:
    yield Section(f"{one.name}: present state", tuple(_standing(one)))
    yield Section(f"{one.name}: quality, by instrument", tuple(_quality(one)))
    yield Section(f"{one.name}: latency", tuple(_latency(one)))
    yield Section(f"{one.name}: errors", tuple(_errors(one)))
    yield Section(f"{one.name}: incidents", tuple(incidents(one)))
    yield Section(f"{one.name}: drills", tuple(drills(one)))
    yield Section(f"{one.name}: pairs that affected decisions", tuple(weighed_pairs(facts, one)))


def _standing(one: WorkloadFacts) -> Iterator[Block]:
    status = one.status
    if status is None:
        yield NoData("the share and the phase", NEVER)
        return
    share = f"{status.percent:g} %" if status.share_known else "unknown"
    seen = _seen(one.points)
    rows = [
        ["share of the candidate, asked for", share],
        ["share of the candidate, measured in the report's period", "–" if seen is None else f"{seen:.1%}"],
        ["mean clients' requests a second", _rate(one.points)],
        ["phase", status.phase.replace("_", " ")],
        ["steps", " → ".join(f"{step:g} %" for step in status.steps)],
        ["in this phase since", f"{time_text(status.since_ms)} UTC"],
        ["Envoys that run this share", f"{status.confirmed} of {status.envoys}"],
        ["next", one_line(status.message) or "–"],
        ["digest of the settings that affect decisions", status.config_digest or "–"],
        ["time to the last step", _ramp_text(one)],
        ["requests that can move", str(one.movable) if one.movable else "not measured yet"],
    ]
    yield Table(["", "value"], rows)
    if one.points:
        lines: list[tuple[str, Kind, Value]] = [
            ("asked for", "baseline", lambda point: point.percent),
            ("seen", "candidate", _percent_seen),
        ]
        title = f"{one.name}: the candidate's share"
        yield chart_over_time(title, one.points, lines, "%", _marks(one.decisions))
    if one.candidate.capacity is None:
        yield NoData("the candidate's load", f"backends.{one.workload.candidate}.capacity names no source of it")
    yield Source((f"glidepath status -w {one.name}", "glidepath plan --measured"))


def _ramp_text(one: WorkloadFacts) -> str:
    if one.ramp_s is None:
        return f"unknown: {one.no_ramp}"
    if one.ramp_s == 0:
        return "reached"
    phase = one.status.phase if one.status is not None else ""
    stands = f", once the ramp continues (now: {phase.replace('_', ' ')})" if phase in STANDING else ""
    return f"about {duration_text(one.ramp_s)} (median of glidepath plan){stands}"


def _seen(points: Sequence[HistoryPoint]) -> float | None:
    candidate = sum(point.candidate.requests for point in points)
    both = candidate + sum(point.baseline.requests for point in points)
    return candidate / both if both else None


def _percent_seen(point: HistoryPoint) -> float | None:
    return _percent(point.candidate.requests, point.candidate.requests + point.baseline.requests)


def _rate(points: Sequence[HistoryPoint]) -> str:
    rate = rate_of(points)
    return "–" if rate is None else f"{rate:,.3g}"


def _marks(decisions: Sequence[Decision]) -> list[Mark]:
    found = []
    for decision in decisions:
        change = decision.to_percent - decision.from_percent
        if change:
            text = f"{time_text(decision.at_ms)}: {decision.from_percent:g} % to {decision.to_percent:g} %"
            found.append(Mark(decision.at_ms / 1000, text, "good" if change > 0 else "bad"))
    return found


def _quality(one: WorkloadFacts) -> Iterator[Block]:
    status = one.status
    if status is None or not status.verdicts:
        yield NoData("the gates", NEVER if status is None else "no gate has samples in this step yet")
        return
    rows = [_verdict_row(verdict) for verdict in status.verdicts]
    heads = ["gate", "question", "verdict", "value", "limit", "95 % or wider interval", "samples", "compares", "may"]
    yield Table(
        heads, rows, "This step's gates. An interval is valid at all looks of the step together", numbers=(3, 4, 6)
    )
    outside = [verdict.gate for verdict in status.verdicts if _is_outside(verdict)]
    if outside:
        yield Text(
            f"The value of {', '.join(outside)} is outside the interval: it has changed within the step.", "asks"
        )
    yield Table(["", "value"], list(_comparison_rows(status)), "Pairs of answers to the same request", numbers=(1,))
    if any(point.agreement is not None for point in one.points):
        lines: list[tuple[str, Kind, Value]] = [
            ("baseline with itself (noise floor)", "baseline", lambda point: point.noise),
            ("candidate with baseline", "candidate", lambda point: point.agreement),
        ]
        title = f"{one.name}: agreement of both sides, and of the baseline with itself"
        yield chart_over_time(title, one.points, lines, "", _marks(one.decisions))
    else:
        yield NoData("agreement over time", "no pair of both sides was scored in this period")
    yield Source((f"glidepath status -w {one.name} --json", f"glidepath pairs list -w {one.name}"))


def _verdict_row(verdict: Verdict) -> list[str | Cell]:
    tone = {"pass": "good", "fail": "bad"}.get(verdict.outcome, "")
    band = "–" if verdict.low is None or verdict.high is None else f"{verdict.low:.4g} to {verdict.high:.4g}"
    return [
        verdict.gate,
        _question(verdict.gate),
        Cell({"pass": "✓ pass", "fail": "✗ fail"}.get(verdict.outcome, "… open"), tone),  # type: ignore[arg-type]
        _number(verdict.value, verdict.unit),
        _number(verdict.limit, verdict.unit),
        band,
        f"{verdict.n:,}",
        BASES.get(verdict.basis, "–"),
        verdict.action.replace("_", " "),
    ]


def _is_outside(verdict: Verdict) -> bool:
    """Return whether the gate's value over the whole step is outside its confidence sequence.

    This happens only if the value has changed during the step.
    """
    value, low, high = verdict.value, verdict.low, verdict.high
    return value is not None and low is not None and high is not None and not low <= value <= high


def _question(gate: str) -> str:
    return next((question for begin, _, question in _INSTRUMENTS if gate.startswith(begin)), "–")


def _number(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{value:.4g} {unit}".strip()


def _comparison_rows(status: WorkloadStatus) -> Iterator[list[str]]:
    yield ["agreement in this step", "–" if status.agreement is None else f"{status.agreement:.3f}"]
    yield ["baseline with itself (noise floor)", "–" if status.noise is None else f"{status.noise:.3f}"]
    yield ["pairs scored, since the beginning", f"{status.pairs_scored:,}"]
    if status.pairs_with_calls:
        yield ["exact tool calls", f"{status.exact_calls:,} of {status.pairs_with_calls:,}"]
    for part in contract_counts(status.contract):
        yield [f"{part.part.meaning} differs between the sides", f"{part.different:,} of {part.compared:,}"]
    yield from ([f"not scored: {one_line(name)}", f"{n:,}"] for name, n in _largest(status.pairs_unscored))
    yield from ([f"evaluator, verifier: {one_line(name)}", f"{n:,}"] for name, n in _largest(status.instruments))
    yield from ([f"feedback: {one_line(name)}", f"{n:,}"] for name, n in _largest(status.feedback))
    for name, n in _largest(status.coverage):
        if not name.startswith(PINNED):
            yield [f"coverage: {_coverage_text(name)}", f"{n:,}"]


def _coverage_text(name: str) -> str:
    known = {Coverage.CAPTURED.value: "exchanges captured", Coverage.PAIRED.value: "pairs stored"}
    if name in known:
        return known[name]
    if name.startswith("noise_"):
        return f"second answers of the baseline: {name.removeprefix('noise_').replace('_', ' ')}"
    return f"not compared: {name.replace('_', ' ')}"


def _largest(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:MOST_KINDS]


def _latency(one: WorkloadFacts) -> Iterator[Block]:
    status = one.status
    if status is None:
        yield NoData("latency", NEVER)
        return
    rows = [_latency_row("baseline", status.baseline), _latency_row("candidate", status.candidate)]
    heads = ["side", "requests", "p50 ms", "p95 ms", "p99 ms", "first byte p50 ms", "headers p50 ms"]
    yield Table(heads, rows, "This step, from the end of the request", numbers=range(1, 7))
    yield from _of_copies(status)
    if any(point.baseline.p95 or point.candidate.p95 for point in one.points):
        lines: list[tuple[str, Kind, Value]] = [
            ("baseline", "baseline", lambda point: point.baseline.p95),
            ("candidate", "candidate", lambda point: point.candidate.p95),
        ]
        yield chart_over_time(f"{one.name}: latency, p95", one.points, lines, "ms", _marks(one.decisions))
    else:
        yield NoData("latency over time", "no client's answer was timed in this period")
    yield Source((f"glidepath status -w {one.name} --json",))


def _of_copies(status: WorkloadStatus) -> Iterator[Block]:
    """Report the sides whose numbers in this step are those of copies."""
    for name, of_copies in (("candidate", status.candidate_counts_copies), ("baseline", status.baseline_counts_copies)):
        if of_copies:
            yield Text(f"The {name} serves no client in this step, so its numbers are those of copies.", "asks")


def _latency_row(name: str, side: SideStatus) -> list[str]:
    times = (side.p50_ms, side.p95_ms, side.p99_ms, side.ttft_p50_ms, side.headers_p50_ms)
    return [name, f"{side.requests:,}", *("–" if value is None else f"{value:,.0f}" for value in times)]


def _errors(one: WorkloadFacts) -> Iterator[Block]:
    status = one.status
    if status is None:
        yield NoData("errors", NEVER)
        return
    rows = [
        [name, f"{side.requests:,}", f"{side.errors:,}", _share(side.errors, side.requests), f"{side.rescued:,}"]
        for name, side in (("baseline", status.baseline), ("candidate", status.candidate))
    ]
    yield Table(
        ["side", "requests", "errors", "share", "answered by the baseline instead"], rows, "This step", (1, 2, 3, 4)
    )
    yield from _of_copies(status)
    if status.error_kinds:
        kinds = [[one_line(name), f"{n:,}"] for name, n in _largest(status.error_kinds)]
        yield Table(["side, origin, kind", "requests"], kinds, "Since the beginning", (1,))
    else:
        yield Text("Since the beginning, no request failed at either side.")
    if any(point.baseline.requests or point.candidate.requests for point in one.points):
        lines: list[tuple[str, Kind, Value]] = [
            ("baseline", "baseline", lambda point: _percent(point.baseline.errors, point.baseline.requests)),
            ("candidate", "candidate", lambda point: _percent(point.candidate.errors, point.candidate.requests)),
        ]
        yield chart_over_time(f"{one.name}: requests that failed", one.points, lines, "%", _marks(one.decisions))
    yield Source((f"glidepath status -w {one.name}",))


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2%}" if whole else "–"


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None
