"""The records that people and tools read and write in Redis as JSON: status, commands and decisions.

They are JSON instead of protobuf so that a person can read them with ``redis-cli`` during an incident. See ADR 0005.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, TypeVar

from glidepath.errors import InputError
from glidepath.json_text import json_text


class Phase(StrEnum):
    """The phase of a workload's ramp."""

    SHADOW = "shadow"  # 0 %: the candidate gets only copies
    BAKING = "baking"  # the candidate serves the step's share, and evidence is gathered
    AWAITING_APPROVAL = "awaiting_approval"  # the evidence suffices; a person must approve the next step
    HELD = "held"  # a command, a manual override or an unknown share stopped the automation
    ROLLING_BACK = "rolling_back"  # the lower weights are written, but not yet confirmed by every Envoy
    COOLING_DOWN = "cooling_down"  # after a rollback, before a retry
    VALIDATING = "validating"  # at the last step; answers are still compared
    COMPLETED = "completed"
    ABORTED = "aborted"  # 0 % until a person retries


class CommandKind(StrEnum):
    HOLD = "hold"
    RESUME = "resume"
    PROMOTE = "promote"  # go one step up, even with inconclusive gates; with a failing gate only if forced
    APPROVE = "approve"
    ROLLBACK = "rollback"  # go down to `percent`, or to 0 if it is absent
    RETRY = "retry"
    ABORT = "abort"
    DRILL = "drill"
    SHADOW = "shadow"  # copy `percent` of the requests; None: the configured share
    ANNOTATE = "annotate"


class GateOutcome(Enum):
    """The outcome of a gate. While a gate is inconclusive, the share stays and more evidence is collected."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class GateAction(StrEnum):
    """The action of a gate that fails."""

    ROLLBACK = "rollback"  # it lowers the candidate's share
    HOLD = "hold"  # it permits no further step; a person decides
    INFORM = "inform"  # it is only shown and logged


@dataclass(frozen=True, slots=True)
class Command:
    """A command with which a person steers a workload. The command line sends it to the leader."""

    kind: CommandKind
    actor: str
    reason: str = ""
    percent: float | None = None
    force: bool = False
    target: str = ""  # for annotate: the decision's id
    end_validation: bool = False  # for promote at the last step
    lost: bool = False  # for drill: rehearse the loss of all scorers
    at_ms: int = 0
    id: str = ""  # the stream's entry id, set when the entry is read


_INFORM, _ROLLBACK = GateAction.INFORM.value, GateAction.ROLLBACK.value  # an enum's value is a slow property


@dataclass(frozen=True, slots=True)
class WeighedPair:
    """A pair that is evidence against the candidate in a gate.

    ``entry``: the id of the pair's entry in the stream of pairs; "" if unknown.
    ``weight``: how much the pair contributes, from 0 to 1. Only weights of the same gate can be compared.
    ``at_ms``: when the pair was captured, in Unix milliseconds.
    """

    id: str
    entry: str
    weight: float
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict of one gate, with the numbers behind it.

    ``value``, ``limit``: the measured value and its limit, in ``unit``.
    ``low``, ``high``: the confidence sequence of ``value``: an interval that contains the true value at all looks of a
    step with probability 1 - α. None if a bound is unknown, or if ``value`` only describes the time of a failure.
    ``n``: the number of the candidate's samples.
    ``evidence``: ln(e) / ln(1/α) for the larger of the gate's two e-values, one for passing and one for failing. The
    gate decides at 1.0.
    ``evidence_to_pass``, ``evidence_to_fail``: the same ratio for each of the two e-values.
    ``missing``: the estimated number of further samples that a decision needs. None if unknown or already decided.
    ``eta_s``: the number of seconds in which they arrive at the current rate. None if ``missing`` is None.
    ``action``: what the gate does when it fails, a value of GateAction.
    ``guard``: the gate need not pass before the next step, but must not fail.
    ``blocks_step``: no step is taken although the gate does not fail, because both sides fail at present.
    ``pairs``: for a failing gate on pairs, the pairs that weigh most against the candidate, the heaviest first.
    """

    gate: str
    outcome: str  # value of GateOutcome
    value: float | None
    limit: float | None
    unit: str
    n: int
    evidence: float = 0.0
    action: str = GateAction.ROLLBACK.value
    guard: bool = False
    fast: bool = False  # a catastrophe guard, which rolls back to 0 % at once
    missing: int | None = None
    eta_s: float | None = None
    message: str = ""
    blocks_step: bool = False
    pairs: tuple[WeighedPair, ...] = ()
    evidence_to_pass: float = 0.0
    evidence_to_fail: float = 0.0
    low: float | None = None
    high: float | None = None
    basis: str = ""  # what the gate compared: live requests (live), two answers to each request (pairs), or both

    @property
    def gating(self) -> bool:
        """Whether the gate takes part in decisions."""
        return self.action != _INFORM

    @property
    def rolls_back(self) -> bool:
        """Whether a failure of the gate lowers the candidate's share."""
        return self.action == _ROLLBACK


@dataclass(frozen=True, slots=True)
class SideStatus:
    """One side in the current step: the number of its requests, the number of its errors, and its latency."""

    requests: int = 0
    errors: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    ttft_p50_ms: float | None = None  # to the first byte of the answer's body
    headers_p50_ms: float | None = None  # to the answer's headers, which a server may send long before any content
    rescued: int = 0  # the candidate's errors for which the client got the baseline's answer instead
    rescues_failed: int = 0  # the candidate's errors for which the baseline failed too


@dataclass(frozen=True, slots=True)
class SideRefusal:
    """A side that fails or refuses most of its latest requests for one cause: what happens, and what to check."""

    side: str  # a value of glidepath.sides.Side
    # the event of the decision that named the side: credential_refused, path_not_found, side_not_answering,
    # baseline_refuses
    cause: str
    detail: str
    remedy: str


@dataclass(frozen=True, slots=True)
class WorkloadStatus:
    """The status of a workload, which the steer loop writes to Redis about once a second."""

    workload: str
    phase: str
    percent: float  # the candidate's desired share; see share_known
    step: int  # index into the ramp's steps; -1: shadow
    steps: tuple[float, ...]
    since_ms: int
    updated_at_ms: int
    bake_until_ms: int | None = None
    held_by: str = ""
    message: str = ""  # what happens next, as a text for people
    autopilot: bool = True
    confirmed: int = 0  # number of Envoys that run the desired weights
    envoys: int = 0
    weights: Mapping[str, int] = field(default_factory=dict)
    verdicts: tuple[Verdict, ...] = ()
    baseline: SideStatus = field(default_factory=SideStatus)
    candidate: SideStatus = field(default_factory=SideStatus)
    agreement: float | None = None  # mean agreement in the current step
    noise: float | None = None  # the baseline's agreement with itself
    pairs_with_calls: int = 0  # cross pairs of the current step whose answers call tools
    exact_calls: int = 0  # of those, the pairs whose calls are equal
    pairs_scored: int = 0  # since the beginning
    pairs_apart: Mapping[str, int] = field(default_factory=dict)  # how many pairs_scored are "noise" or "probe"
    pairs_unscored: Mapping[str, int] = field(default_factory=dict)
    coverage: Mapping[str, int] = field(default_factory=dict)  # by outcome_summaries.Coverage, since the beginning
    # "AT_FAULT KIND" (outcome_summaries.AtFault) → the requests that Envoy itself answered, since the beginning
    local_replies: Mapping[str, int] = field(default_factory=dict)
    # "SIDE ORIGIN KIND" → the number of requests that failed with this kind of error, since the beginning
    error_kinds: Mapping[str, int] = field(default_factory=dict)
    refusals: tuple[SideRefusal, ...] = ()  # the sides that refuse most requests now, or more than before a retreat
    # "INSTRUMENT OUTCOME" → the number of pairs with this result, or without a result for this reason
    instruments: Mapping[str, int] = field(default_factory=dict)
    # the side, "unknown" or "repeated" → the number of feedback entries, since the beginning
    feedback: Mapping[str, int] = field(default_factory=dict)
    # "SIDE requests" → clients' requests at the side, since the beginning; "SIDE checked" → those whose captured answer
    # was checked by itself; "SIDE refused" → those with a 4xx that is not a side's error; "candidate copies" → the
    # copies that reached the candidate
    live_answers: Mapping[str, int] = field(default_factory=dict)
    movable_share: float | None = None  # estimated from copies (glidepath/movable_share.py)
    languages: Mapping[str, int] = field(default_factory=dict)  # language (ISO 639) → scored pairs of free text in it
    # "PART compared", "PART different" → pairs (glidepath/answer_contract.py), since the beginning
    contract: Mapping[str, int] = field(default_factory=dict)
    other_configuration: int = 0  # requests and pairs that an Envoy served with another configuration
    leader: str = ""
    config_digest: str = ""
    min_samples: int = 0  # requests that the candidate must serve in this step; 0: the state needs no evidence
    if_lost: str = ""  # what Envoy does without a scorer: hold or baseline; "" if an older scorer wrote the status
    lost_after_s: float | None = None  # with baseline: after how many seconds
    leases_held: int = 0  # with baseline: the number of Envoys, out of lease_envoys, with a valid lease
    lease_envoys: int = 0
    lease_set_at: tuple[str, ...] = ()  # the admin interfaces at which a person set the lease
    share_known: bool = True  # False: the actual share differs from percent and is unknown
    blind: str = ""  # why the steering is blind; "": outcomes arrive, or no requests end
    blind_envoys: tuple[str, ...] = ()  # the Envoys whose outcomes do not arrive
    counter_guard: str = ""  # the result of the counter guard while the steering is blind
    no_counter_guard: str = ""  # why Envoy's counters cannot be read

    @property
    def candidate_counts_copies(self) -> bool:
        """Whether the candidate's counts come from copies, as they do at 0 %, even while a drill raises the share."""
        return self.percent <= 0 or self.phase == Phase.SHADOW.value

    @property
    def baseline_counts_copies(self) -> bool:
        """Whether the baseline's counts come from copies, as they do at 100 %."""
        return self.percent >= 100


@dataclass(frozen=True, slots=True)
class Decision:
    """One entry of a workload's decision log, which is append-only."""

    at_ms: int
    workload: str
    event: str  # one of glidepath.decision_events
    from_percent: float
    to_percent: float
    phase: str
    reason: str
    trigger: str = ""  # the cause: a gate, command:NAME, or a condition
    actor: str = "glidepath"
    verdicts: tuple[Verdict, ...] = ()
    config_digest: str = ""
    model_versions: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""  # the stream's entry id, set when the entry is read

    @property
    def is_in_log(self) -> bool:
        """Whether the log has this decision. It lacks one that was announced while Redis stored nothing."""
        return self.details.get("stored") is not False

    @property
    def weighed_pairs(self) -> tuple[WeighedPair, ...]:
        """The pairs that weighed most in the gate that caused this decision."""
        return next((v.pairs for v in self.verdicts if v.gate == self.trigger), ())


R = TypeVar("R", Command, WorkloadStatus, Decision)

_NESTED: dict[str, type] = {
    "verdicts": Verdict,
    "baseline": SideStatus,
    "candidate": SideStatus,
    "refusals": SideRefusal,
    "pairs": WeighedPair,
}


def to_json(record: Command | WorkloadStatus | Decision) -> str:
    return json_text(record)


def from_json(kind: type[R], text: str | bytes) -> R:
    """Return the record of type ``kind`` from a JSON text. Unknown fields are ignored.

    Raises InputError if the text is not such a record.
    """
    try:
        record: R = _build(kind, json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"not a {kind.__name__}: {error}") from error
    return record


def _build(kind: Any, raw: Mapping[str, Any]) -> Any:
    known = {f.name for f in dataclasses.fields(kind)}
    values = {name: value for name, value in raw.items() if name in known}
    for name, nested in _NESTED.items():
        value = values.get(name)
        if isinstance(value, list):
            values[name] = tuple(_build(nested, item) for item in value)
        elif isinstance(value, dict):
            values[name] = _build(nested, value)
    for name in ("steps", "lease_set_at", "blind_envoys"):
        if name in values:
            values[name] = tuple(values[name])
    if kind is Command:
        values["kind"] = CommandKind(values["kind"])
    return kind(**values)
