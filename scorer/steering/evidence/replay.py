"""Replay the events of a file through the gates, for ``glidepath judge``. Pure: no clock and no I/O."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from glidepath.config import Workload
from glidepath.config.gates import default_latency
from glidepath.errors import InputError
from glidepath.histogram import Histogram
from glidepath.json_object_line import json_object
from glidepath.pair_scores import EXACT_CALL, Correctness
from glidepath.sides import Side
from glidepath.status_and_decisions import GateOutcome, Verdict
from scorer.steering.evidence.correctness_gate import true_class
from scorer.steering.evidence.gate_base import Gate
from scorer.steering.evidence.gate_observations import (
    AgreementScored,
    AnswersJudged,
    CorrectnessGiven,
    FeedbackGiven,
    LatencyHistograms,
    LatencyUnmeasured,
    NoiseScored,
    PairCompared,
    PreferenceGiven,
    RequestCounts,
    RequestsEnded,
)
from scorer.steering.evidence.gate_set import GateSet
from scorer.steering.evidence.verdicts import outcome_of

MAX_LINE_BYTES = 1_000_000
# A value of the key ``defect`` → whether the candidate's answer has a defect, and whether the baseline's answer has one
DEFECTIVE = {"candidate": (True, False), "baseline": (False, True), "both": (True, True), "neither": (False, False)}
_LARGEST = sys.float_info.max
_EMPTY = Histogram()
_LARGEST_S = 1e12  # in seconds; a later time counts as this time


@dataclass(frozen=True, slots=True)
class ReplayEvent:
    """One answer of one side, as a line of the file describes it.

    - ``t``: the time in seconds
    - ``ok``: whether the request succeeded
    - ``latency_ms``, ``ttft_ms``: the total time and the time to first token; None if unknown
    - ``tokens``: the number of tokens of the answer; None if unknown
    - ``agreement``, ``noise``: the agreement of a cross pair and that of a noise pair, from 0 to 1; None if unknown
    - ``expected``, ``got``: the class in the baseline's answer and the class in the candidate's answer; "" if unknown
    - ``preference``: 1 if the candidate's answer of the pair is preferred, 0 if the baseline's, 1/2 if neither; None if
      unknown
    - ``exact_call``: whether both answers of the pair make the same tool calls; None if there are none, or if unknown
    - ``exact``: whether the candidate's answer of the pair equals the baseline's exactly; None if unknown
    - ``correct``: how correct each answer of the pair is; None if unknown
    - ``feedback``: the user's feedback on the answer of ``side``, from 0 to 1; None if there is none
    - ``defect``: which answers of the pair have a defect, as a key of DEFECTIVE; "" if unknown
    """

    t: float
    side: Side
    ok: bool
    latency_ms: float | None = None
    ttft_ms: float | None = None
    agreement: float | None = None
    noise: float | None = None
    expected: str = ""
    got: str = ""
    defect: str = ""
    preference: float | None = None
    exact_call: bool | None = None
    exact: bool | None = None
    correct: Correctness | None = None
    feedback: float | None = None
    tokens: float | None = None


@dataclass(slots=True)
class ReplayResult:
    """The result of a replay. ``events``: the number of events.

    ``with_calls``: the number of events whose pair has tool calls. ``exact_calls``: of those, how many have equal
    calls.
    ``decided_at``: gate → the index of the event at which the gate reached its final verdict. Inconclusive gates are
    left out.
    """

    events: int = 0
    verdicts: tuple[Verdict, ...] = ()
    decided_at: dict[str, int] = field(default_factory=dict)
    decision: str = "hold"
    with_calls: int = 0
    exact_calls: int = 0

    def to_json(self, workload: str) -> dict[str, Any]:
        gates = {v.gate: _gate_json(v, self.decided_at.get(v.gate)) for v in self.verdicts}
        found: dict[str, Any] = {"workload": workload, "events": self.events}
        if self.with_calls:
            share = round(self.exact_calls / self.with_calls, 4)
            found["exact_calls"] = {"pairs": self.with_calls, "share": share}
        return {**found, "gates": gates, "decision": self.decision}


def _gate_json(verdict: Verdict, decided_at: int | None) -> dict[str, Any]:
    return {
        "verdict": verdict.outcome,
        "value": verdict.value,
        "limit": verdict.limit,
        "unit": verdict.unit,
        "n": verdict.n,
        "basis": verdict.basis,
        "first_decided_at": decided_at,
        "low": verdict.low,
        "high": verdict.high,
        "evidence": round(verdict.evidence, 4),
        "evidence_to_pass": round(verdict.evidence_to_pass, 4),
        "evidence_to_fail": round(verdict.evidence_to_fail, 4),
        "action": verdict.action,
        "fast": verdict.fast,
        "missing": verdict.missing,
        "message": verdict.message,
    }


def replay(workload: Workload, events: Iterable[ReplayEvent], percent: float | None = None) -> ReplayResult:
    """Replay the events, and evaluate the gates after each event.

    ``percent``: the candidate's configured share; if it is None (unknown), there is no split guard.

    Settings that are not in the configuration have the defaults for a file, see ``workload_of_file``.

    Only the latency gates are evaluated less often: at the end, and whenever the candidate has 1 % more samples than at
    the last evaluation. Their verdicts are still valid.
    """
    prior = 0.5 if percent is None else min(max(percent / 100, 0.01), 0.99)
    gates = GateSet(workload_of_file(workload), percent, prior, error_kinds=False, copies=False)
    times = _DecisionTimes(gates.gates)
    first = last = 0.0
    index = -1
    calls: list[bool] = []
    for index, event in enumerate(events):
        first, last = (min(first, event.t), max(last, event.t)) if index else (event.t, event.t)
        _observe(gates, event)
        times.note(index)
        if event.exact_call is not None:
            calls.append(event.exact_call)
    gates.look(everything=True)
    times.note(index)
    seconds = last - first
    rates = {name: gate.n / seconds for name, gate in gates.gates.items()} if seconds > 0 else {}
    verdicts = gates.verdicts(rates)
    return ReplayResult(index + 1, verdicts, times.decided_at, decide(verdicts), len(calls), sum(calls))


def workload_of_file(workload: Workload) -> Workload:
    """Return the workload with defaults for a file, because the events of a file rarely have tokens and noise pairs.

    Without ``gates.latency``, the 95th percentile of the total time is compared, and without ``shadow.same_side`` there
    is no limit on the agreement below the noise floor. Settings that are in the configuration stay.
    """
    changed: dict[str, Any] = {}
    if "latency" not in workload.gates.model_fields_set:
        changed["gates"] = workload.gates.model_copy(update={"latency": default_latency("auto")})
    if "same_side" not in workload.shadow.model_fields_set:
        changed["shadow"] = workload.shadow.model_copy(update={"same_side": 0.0})
    return workload.model_copy(update=changed) if changed else workload


def _observe(gates: GateSet, event: ReplayEvent) -> None:
    errors = 0 if event.ok else 1
    own = event.side is Side.CANDIDATE
    counts = RequestCounts(c_n=1, c_errors=errors) if own else RequestCounts(b_n=1, b_errors=errors)
    gates.observe(RequestsEnded(counts))
    gates.close_block()
    if event.ok:
        _observe_times(gates, event, own)
    if event.agreement is not None:
        gates.observe(AgreementScored(event.agreement))
    labels = {"expected": event.expected, "got": event.got} if event.expected and event.got else {}
    if labels:
        gates.observe(PairCompared(labels, {}))
    if event.defect:
        candidate, baseline = DEFECTIVE[event.defect]
        gates.observe(AnswersJudged(("defect",) if candidate else (), ("defect",) if baseline else ()))
    if event.preference is not None:
        gates.observe(PreferenceGiven(event.preference))
    exact = event.exact if event.exact is not None else event.exact_call
    if exact is not None and not labels:
        gates.observe(PairCompared({}, {"fields": 0.0 if exact else 1.0}))
    if event.correct is not None:
        gates.observe(CorrectnessGiven(event.correct, true_class(event.correct, labels)))
    if event.feedback is not None:
        gates.observe(FeedbackGiven(own, event.feedback))
    if event.noise is not None:
        gates.observe(NoiseScored(event.noise))
    gates.look()


def _observe_times(gates: GateSet, event: ReplayEvent, own: bool) -> None:
    at_ms = max(0, round(1000 * min(event.t, _LARGEST_S)))
    per_token = event.latency_ms / event.tokens if event.latency_ms is not None and event.tokens else None
    for signal, ms in (("total", event.latency_ms), ("per_token", per_token), ("ttft", event.ttft_ms)):
        if ms is not None and signal in gates.signals:
            sides = (Histogram.of((ms,)), _EMPTY) if own else (_EMPTY, Histogram.of((ms,)))
            gates.observe(LatencyHistograms(signal, *sides, at_ms))
    if own and event.ttft_ms is None:
        gates.observe(LatencyUnmeasured("ttft", without=1))


class _DecisionTimes:
    """Records, for each gate, the index of the event at which the gate reached its present verdict."""

    def __init__(self, gates: dict[str, Gate]) -> None:
        self._gates = gates
        self._last = dict.fromkeys(gates, GateOutcome.INCONCLUSIVE)
        self.decided_at: dict[str, int] = {}

    def note(self, index: int) -> None:
        for name, gate in self._gates.items():
            outcome = outcome_of(gate)
            if outcome is not self._last[name]:
                self._last[name] = outcome
                self.decided_at[name] = index
                if outcome is GateOutcome.INCONCLUSIVE:
                    del self.decided_at[name]


def decide(verdicts: Iterable[Verdict]) -> str:
    """Return the decision on these verdicts. Only deciding gates count.

    - ``rollback_to_zero``: a fast guard fails
    - ``rollback``: another gate with the action ``rollback`` fails
    - ``promote``: no gate fails, and all gates pass; guards need not pass
    - ``hold``: otherwise. For example, if there are only guards, if a gate with the action ``hold`` fails (ADR 0053),
      or while most of the latest requests of both sides fail
    """
    gating = [v for v in verdicts if v.gating]
    failed = [v for v in gating if v.outcome == GateOutcome.FAIL.value]
    if any(v.fast for v in failed):
        return "rollback_to_zero"
    if any(v.rolls_back for v in failed):
        return "rollback"
    if failed or any(v.blocks_step for v in gating):
        return "hold"
    proofs = [v for v in gating if not v.guard]
    return "promote" if proofs and all(v.outcome == GateOutcome.PASS.value for v in proofs) else "hold"


def parse_events(lines: Iterable[bytes], name: str) -> Iterator[ReplayEvent]:
    """Parse each line of the file ``name`` as an event. Empty lines are skipped.

    Raises InputError for a line that is not a valid event. The error contains the line's number.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield _parse(line)
        except (ValueError, InputError) as error:
            raise InputError(f"{name}:{number}: {error}") from error


def _parse(line: bytes) -> ReplayEvent:
    raw = json_object(line, max_bytes=MAX_LINE_BYTES)
    side = raw.get("side")
    if side not in ("baseline", "candidate"):
        raise ValueError(f"side: must be baseline or candidate (got {side!r})")
    ok = raw.get("ok")
    if not isinstance(ok, bool):
        raise ValueError(f"ok: must be true or false (got {ok!r})")  # noqa: TRY004
    t = _number(raw, "t", -math.inf, math.inf)
    if t is None:
        raise ValueError("t: is missing (seconds)")
    latency = _number(raw, "latency_ms", 0, math.inf)
    if latency is None and ok:
        raise ValueError("latency_ms: is missing (needed if ok is true)")
    return ReplayEvent(
        t=t,
        side=Side(side),
        ok=ok,
        latency_ms=latency,
        ttft_ms=_number(raw, "ttft_ms", 0, math.inf),
        tokens=_number(raw, "tokens", 0, math.inf),
        agreement=_number(raw, "agreement", 0, 1),
        noise=_number(raw, "noise", 0, 1),
        expected=_label(raw, "expected"),
        got=_label(raw, "got"),
        defect=_defective_side(raw),
        preference=_number(raw, "preference", 0, 1),
        exact_call=_flag(raw, EXACT_CALL),
        exact=_flag(raw, "exact"),
        correct=_correctness(raw),
        feedback=_number(raw, "feedback", 0, 1),
    )


def _flag(raw: dict[str, Any], key: str) -> bool | None:
    value = raw.get(key)
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"{key}: must be true or false (got {str(value)[:40]!r})")
    return value


def _correctness(raw: dict[str, Any]) -> Correctness | None:
    value = raw.get("correct")
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ValueError('correct: must be an object such as {"baseline": 1, "candidate": 0}')  # noqa: TRY004
    found = {side: _number(value, side, 0, 1) for side in ("baseline", "candidate")}
    baseline, candidate = found["baseline"], found["candidate"]
    if baseline is None or candidate is None:
        raise ValueError("correct: needs the keys baseline and candidate, each from 0 to 1")
    return Correctness(baseline, candidate)


def _defective_side(raw: dict[str, Any]) -> str:
    value = raw.get("defect")
    if value is None:
        return ""
    if value not in DEFECTIVE:
        raise ValueError(f"defect: must be {', '.join(DEFECTIVE)} (got {str(value)[:40]!r})")
    return str(value)


def _label(raw: dict[str, Any], key: str) -> str:
    value = raw.get(key, "")
    if not isinstance(value, str):
        raise ValueError(f"{key}: must be a string (got {value!r})")  # noqa: TRY004
    return value


def _number(raw: dict[str, Any], key: str, low: float, high: float) -> float | None:
    value = raw.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
        raise ValueError(f"{key}: must be a number (got {str(value)[:40]!r})")
    if not low <= value <= high:
        allowed = f"{low:g} to {high:g}" if high < math.inf else f"at least {low:g}"
        raise ValueError(f"{key}: must be {allowed} (got {value!r})")
    return float(value)
