"""The records that the parts exchange, free of any wire format.

Times are Unix milliseconds (``*_at_ms``), durations are milliseconds (``*_ms``), bodies are decoded bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum

from glidepath.histogram import Histogram

TRIP = 0.5  # a signal trips in a pair when its divergence is at least this


class Side(StrEnum):
    """``baseline`` serves today; ``candidate`` is to take over."""

    BASELINE = "baseline"
    CANDIDATE = "candidate"

    @property
    def other(self) -> Side:
        return Side.CANDIDATE if self is Side.BASELINE else Side.BASELINE


class Origin(StrEnum):
    """Who caused a request: a client, the tee, or a synthetic probe."""

    LIVE = "live"
    SHADOW = "shadow"
    PROBE = "probe"


class PairKind(StrEnum):
    """CROSS compares the two sides, NOISE two answers of the same side."""

    CROSS = "cross"
    NOISE = "noise"


class Ending(StrEnum):
    """How an exchange ended, as far as its body tells. Only COMPLETE is ever scored."""

    COMPLETE = "complete"
    ABORTED = "aborted"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    LOCAL = "local"


class Coverage(StrEnum):
    """What became of the traffic on its way to a score: every loss has a name and is counted, none is silent."""

    CAPTURED = "captured"  # exchanges whose bodies extproc saw
    PAIRED = "paired"  # pairs written to Redis
    NOT_TEED = "not_teed"  # not an idempotent inference call, cut request, or ended badly
    SAMPLED_OUT = "sampled_out"  # left out by the reverse or same-side rate
    SHED_IN_FLIGHT = "shed_in_flight"  # the tee had max_in_flight requests under way
    SHED_BUDGET = "shed_budget"  # the paid side's daily budget was used up
    SHED_STREAMS = "shed_streams"  # extproc held as many exchanges as it may
    TEE_FAILED = "tee_failed"  # the other side did not answer in time, or at all
    INTERNAL_ERROR = "internal_error"  # a fault in our own code, met while this one pair was made
    LOST_BUFFER = "lost_buffer"  # Redis was away and the buffer was full
    LOST_SHUTDOWN = "lost_shutdown"  # still unsent when extproc had to stop
    ABORTED = "aborted"  # client or upstream left in mid-body
    TRIMMED = "trimmed"  # of the paired: retention took them before any scorer did; counted by the scorers
    NOT_COMPARABLE = "not_comparable"  # the client got an error, or the baseline's answer for a failed candidate


@dataclass(frozen=True, slots=True)
class Answer:
    """One side's answer to one request. ``first_byte_ms`` is 0 when not known."""

    side: Side
    origin: Origin
    backend: str
    status: int
    content_type: str = ""
    body: bytes = b""
    body_cut: bool = False
    ending: Ending = Ending.COMPLETE
    first_byte_ms: float = 0.0
    total_ms: float = 0.0
    error: str = ""
    failed_over: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """A request and both answers: ``first`` went to the client, ``second`` to the tee."""

    id: str
    workload: str
    kind: PairKind
    captured_at_ms: int
    method: str
    path: str
    request_body: bytes
    first: Answer
    second: Answer
    request_cut: bool = False
    request_content_type: str = ""
    sticky: str = ""
    config_digest: str = ""

    @property
    def baseline(self) -> Answer:
        """The baseline's answer; of a NOISE pair, the client's."""
        if self.kind is PairKind.NOISE or self.first.side is Side.BASELINE:
            return self.first
        return self.second

    @property
    def candidate(self) -> Answer:
        """The candidate's answer; of a NOISE pair, the repeated one."""
        return self.second if self.baseline is self.first else self.first


@dataclass(frozen=True, slots=True)
class SideOutcomes:
    """Outcomes of one side and origin over one flush. ``errors`` includes ``failovers``.

    Of the failovers, ``rescued`` had an answer of the baseline and ``rescues_failed`` had none; how the others would
    have ended nobody knows, since the client left first. An older extproc tells neither.
    """

    side: Side
    origin: Origin
    requests: int = 0
    errors: int = 0
    error_kinds: Mapping[str, int] = field(default_factory=dict)
    client_aborts: int = 0
    failovers: int = 0
    latency_ms: Histogram = field(default_factory=Histogram)
    ttft_ms: Histogram = field(default_factory=Histogram)
    first_error_ms: int = 0
    rescued: int = 0
    rescues_failed: int = 0

    def __add__(self, other: SideOutcomes) -> SideOutcomes:
        firsts = [t for t in (self.first_error_ms, other.first_error_ms) if t]
        return SideOutcomes(
            side=self.side,
            origin=self.origin,
            requests=self.requests + other.requests,
            errors=self.errors + other.errors,
            error_kinds=add_counts(self.error_kinds, other.error_kinds),
            client_aborts=self.client_aborts + other.client_aborts,
            failovers=self.failovers + other.failovers,
            latency_ms=self.latency_ms + other.latency_ms,
            ttft_ms=self.ttft_ms + other.ttft_ms,
            first_error_ms=min(firsts, default=0),
            rescued=self.rescued + other.rescued,
            rescues_failed=self.rescues_failed + other.rescues_failed,
        )


@dataclass(frozen=True, slots=True)
class Outcomes:
    """One flush of one extproc process for one workload; ``(source, seq)`` is unique.

    ``arrived_ms`` is Redis' clock, of the stream's entry id; set on reading, 0 when not known.
    """

    workload: str
    source: str
    seq: int
    from_ms: int
    to_ms: int
    sides: tuple[SideOutcomes, ...] = ()
    coverage: Mapping[str, int] = field(default_factory=dict)
    arrived_ms: int = 0

    def later(self, ms: int) -> Outcomes:
        """The same flush by a clock that is ahead by ``ms``."""
        return Outcomes(
            workload=self.workload,
            source=self.source,
            seq=self.seq,
            from_ms=self.from_ms + ms,
            to_ms=self.to_ms + ms,
            sides=self.sides,
            coverage=self.coverage,
            arrived_ms=self.arrived_ms,
        )


@dataclass(frozen=True, slots=True)
class AnswerFacts:
    """Numbers of one answer, without its text."""

    origin: Origin = Origin.LIVE
    backend: str = ""
    status: int = 0
    first_byte_ms: float = 0.0
    total_ms: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    text_chars: int = 0
    finish_reason: str = ""
    failed_over: bool = False
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """What the scorer made of one pair: ``agreement`` in [0, 1] when ``scored``, else ``unscored_reason``."""

    pair_id: str
    workload: str
    kind: PairKind
    captured_at_ms: int
    scored_at_ms: int
    scored: bool
    unscored_reason: str = ""
    agreement: float = 0.0
    flags: tuple[str, ...] = ()
    signals: Mapping[str, float] = field(default_factory=dict)
    baseline: AnswerFacts = field(default_factory=AnswerFacts)
    candidate: AnswerFacts = field(default_factory=AnswerFacts)
    sticky: str = ""
    scorer: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


class Outcome(Enum):
    """A gate's verdict. Inconclusive is neither passed nor failed: hold and keep gathering."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


def add_counts(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    """Both mappings' counts, added key by key."""
    total = dict(a)
    for key, count in b.items():
        total[key] = total.get(key, 0) + count
    return total
