"""The pairs, scores and outcome summaries that extproc, the scorer and the tools exchange through Redis.

The fields ``*_at_ms``, ``from_ms``, ``to_ms``, ``arrived_ms`` and ``first_error_ms`` are times in Unix milliseconds.
All other fields ``*_ms`` are durations in milliseconds. Bodies in Redis have no content encoding (such as gzip).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum

from glidepath.histogram import Histogram
from glidepath.token_usage import TokenUsage, merged

NO_DIGEST = "none"  # reported for an Envoy whose routes carry no digest (glidepath/served_digest.py)
SEVERAL_DIGESTS = "several"  # reported for counts of requests of more than one digest
BUSY = (408, 429)  # statuses below 500 that count as failures of the backend
# The statuses with which a backend refuses what it cannot do. If the other side accepts the request, the refusal is an
# error of this kind (ADR 0312).
CAPABILITY_STATUSES = (400, 404, 413, 415, 422)
CAPABILITY = "capability"
PINNED = "pinned_"  # begins the names in Outcomes.coverage of requests that are never split; the reason follows
TRIP_DIVERGENCE = 0.5  # a signal trips in a pair if its divergence is at least this value


class Side(StrEnum):
    """A side of a migration: the baseline, which serves the traffic now, or the candidate, which may replace it."""

    BASELINE = "baseline"
    CANDIDATE = "candidate"

    @property
    def other(self) -> Side:
        return Side.CANDIDATE if self is Side.BASELINE else Side.BASELINE


class Origin(StrEnum):
    """What caused a request: a client, the tee (which sends copies), or a synthetic probe."""

    LIVE = "live"
    SHADOW = "shadow"
    PROBE = "probe"


class AtFault(StrEnum):
    """Whose fault it is that Envoy or one of its filters answered a request, and no side did."""

    CLIENT = "client"  # the request was refused
    ENVOY = "envoy"  # Envoy or a filter failed
    NONE = "none"  # it did not fail: for example, it came from a cache


class PairKind(StrEnum):
    """CROSS pairs have one answer of each side. NOISE pairs have two answers of the same side.

    Only NOISE pairs of the baseline count towards the noise floor (ADR 0039). extproc makes no others.
    """

    CROSS = "cross"
    NOISE = "noise"


class Ending(StrEnum):
    """How a request and its answer ended. Only COMPLETE answers are scored."""

    COMPLETE = "complete"
    ABORTED = "aborted"  # client or upstream ended it during the body
    TIMEOUT = "timeout"  # no answer within the time limit of the tee or probe
    REFUSED = "refused"  # the shadow listener could not be reached
    LOCAL = "local"  # Envoy answered by itself


# A measure among the signals of a pair: 1 if both answers make the same tool calls with equal arguments, else 0.
EXACT_CALL = "exact_call"


class Preference(StrEnum):
    """Whether the evaluator prefers the candidate's answer of a pair. ``score`` is 1, 1/2 or 0.

    The evaluator is asked twice, with the answers in both orders.
    """

    WIN = "win"  # it prefers the candidate's answer
    TIE = "tie"
    LOSS = "loss"  # it prefers the baseline's answer
    INCONSISTENT = "inconsistent"  # it decided differently in the two orders, which counts as a tie
    FORFEIT = "forfeit"  # it prefers the candidate's answer, which addresses its judge: this counts as a loss
    WITHHELD = "withheld"  # it prefers the baseline's answer, which addresses its judge: this counts as a tie

    @property
    def score(self) -> float:
        return _PREFERENCE_SCORES.get(self, 0.5)


_PREFERENCE_SCORES = {Preference.WIN: 1.0, Preference.LOSS: 0.0, Preference.FORFEIT: 0.0}


@dataclass(frozen=True, slots=True)
class Correctness:
    """How right each answer of a pair is, from 0 (wrong) to 1 (right), as a verifier says."""

    baseline: float
    candidate: float


class Coverage(StrEnum):
    """What happened to an exchange, which is a request with its answer.

    An exchange that is lost before it is scored is counted under the reason for the loss.
    """

    CAPTURED = "captured"  # exchanges whose bodies extproc received
    PAIRED = "paired"  # pairs written to Redis
    NOT_TEED = "not_teed"  # no copy: not an idempotent inference call, or the request was cut or incomplete
    GIVES_CREDENTIAL = "gives_credential"  # no copy: the body gives a credential or a remote tool, or is unreadable
    HAS_EFFECTS = "has_effects"  # no copy: the server would act: hosted tools, background work
    NEEDS_STATE = "needs_state"  # no copy: the request needs what one server keeps: a response, a file, a container
    INELIGIBLE_MAX_BODY = "ineligible_max_body"  # no copy: the candidate cannot serve it (glidepath/eligibility.py)
    INELIGIBLE_CONTEXT = "ineligible_context"
    INELIGIBLE_MODALITIES = "ineligible_modalities"
    INELIGIBLE_TOOLS = "ineligible_tools"
    OPTED_OUT = "opted_out"  # no copy, and nothing kept: a header or a rule of shadow.opt_out says so
    COOL_DOWN = "cool_down"  # no copy: the side answered 429, or fails every request; copies pause
    SAMPLED_OUT = "sampled_out"  # no copy: shadow.reverse left this request out
    SHED_IN_FLIGHT = "shed_in_flight"  # no copy: shadow.max_in_flight copies were in flight
    SHED_BUDGET = "shed_budget"  # no copy: the daily budget of the paid side was spent
    SHED_STREAMS = "shed_streams"  # not captured: extproc had max_streams open exchanges
    SHED_MEMORY = "shed_memory"  # Envoy left out the rest of the copy: extproc.envoy_memory, or a very long body
    TEE_FAILED = "tee_failed"  # the copy failed or timed out
    CUT = "cut"  # an answer was longer than extproc.max_body, or the memory was used up; its rest was not read
    INTERNAL_ERROR = "internal_error"  # an unexpected error in Glidepath's own code while the pair was built
    LOST_BUFFER = "lost_buffer"  # Redis did not answer and the buffer was full
    LOST_SHUTDOWN = "lost_shutdown"  # not yet written when extproc stopped
    ABORTED = "aborted"  # client or upstream ended the exchange during a body
    TRIMMED = "trimmed"  # the pair was removed by retention before a scorer took it; counted by the scorers
    NOT_COMPARABLE = "not_comparable"  # the client got an error, or the baseline answered for a failed candidate


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of one side to one request.

    ``first_byte_ms``, ``total_ms``: from the end of the request to the first content of the answer (of one that is not
    streamed: to the first byte of its body), and to its end (glidepath/latency.py); 0 if unknown.
    """

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
    """A request with its two answers: ``first`` went to the client, and ``second`` answered the copy of the request.

    ``both_copied``: whether each side got a copy of the request. There is then a CROSS pair and a NOISE pair of it,
    whose second answers were obtained in the same way.
    """

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
    served: str = ""  # the digest of what Envoy serves (glidepath/served_digest.py); "" if unknown
    both_copied: bool = False
    traceparent: str = ""  # of the copy's span, if OpenTelemetry records it

    @property
    def baseline(self) -> Answer:
        """Return the baseline's answer.

        In a NOISE pair, both answers are the baseline's. The one that the client got is returned.
        """
        if self.kind is PairKind.NOISE or self.first.side is Side.BASELINE:
            return self.first
        return self.second

    @property
    def candidate(self) -> Answer:
        """Return the candidate's answer.

        In a NOISE pair, which has no candidate, this is the baseline's answer to the copy of the request.
        """
        return self.second if self.baseline is self.first else self.first


@dataclass(frozen=True, slots=True)
class SideOutcomes:
    """How the requests of one origin to one side ended, in one outcome summary.

    A failover, also called a rescue, is a failed candidate request that Envoy then sent to the baseline. ``errors``
    includes ``failovers``. ``rescued`` counts failovers that the baseline answered, and ``rescues_failed`` failovers
    that failed there too. In all other failovers the client disconnected first.

    ``ttft_ms``, ``headers_ms``: to the first byte of the answer's body, and of its headers, which a server may send
    long before the first content of a stream.

    ``duration_ms``: the durations of the clients' requests that the candidate answered, uploads included. It shows when
    they began; for other requests it is empty.

    ``refused`` counts the requests whose client got a 4xx that is no error of a side, and ``not_found`` those that the
    side answered with 404. ``checked`` counts the answers whose captured body was checked by itself; of the others,
    only what the access log shows is known.

    ``aborted_ms``: how long the clients of ``client_aborts`` waited that left without a byte of an answer. The latency
    of these requests would have been longer.

    ``usage``: the tokens of the captured answers, by their source and tier; of requests that were not captured, they
    are unknown. ``sent_bytes``: the bytes of the bodies of all ``requests``.
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
    duration_ms: Histogram = field(default_factory=Histogram)
    not_found: int = 0
    served: str = ""  # the digest of what Envoy serves (glidepath/served_digest.py); "" if unknown
    checked: int = 0
    aborted_ms: Histogram = field(default_factory=Histogram)
    headers_ms: Histogram = field(default_factory=Histogram)
    usage: tuple[TokenUsage, ...] = ()
    sent_bytes: int = 0
    refused: int = 0

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
            duration_ms=self.duration_ms + other.duration_ms,
            not_found=self.not_found + other.not_found,
            served=joined_digests(self.served, other.served),
            checked=self.checked + other.checked,
            aborted_ms=self.aborted_ms + other.aborted_ms,
            headers_ms=self.headers_ms + other.headers_ms,
            usage=merged((*self.usage, *other.usage)),
            sent_bytes=self.sent_bytes + other.sent_bytes,
            refused=self.refused + other.refused,
        )


@dataclass(frozen=True, slots=True)
class LocalReplies:
    """The requests of one origin that Envoy or a filter answered, in one outcome summary, by the kind of reply.

    ``side``: the side that the split chose for them; None if it is unknown. They are in no ``SideOutcomes``.
    """

    side: Side | None
    origin: Origin
    at_fault: AtFault
    kinds: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: LocalReplies) -> LocalReplies:
        return LocalReplies(self.side, self.origin, self.at_fault, add_counts(self.kinds, other.kinds))

    @property
    def requests(self) -> int:
        return sum(self.kinds.values())


@dataclass(frozen=True, slots=True)
class Outcomes:
    """One outcome summary (flush) that an extproc process wrote for one workload; ``(source, seq)`` is unique.

    ``arrived_ms`` is the time at which Redis received the summary, by Redis' clock, or 0 if unknown. The reader of
    the stream takes it from the id of the stream entry.
    """

    workload: str
    source: str
    seq: int
    from_ms: int
    to_ms: int
    sides: tuple[SideOutcomes, ...] = ()
    coverage: Mapping[str, int] = field(default_factory=dict)
    local_replies: tuple[LocalReplies, ...] = ()
    arrived_ms: int = 0

    def later(self, ms: int) -> Outcomes:
        """Return this summary with ``from_ms`` and ``to_ms`` shifted by ``ms``, to correct an extproc's slow clock."""
        return Outcomes(  # ``replace`` takes several times as long, and most flushes are shifted
            self.workload,
            self.source,
            self.seq,
            self.from_ms + ms,
            self.to_ms + ms,
            self.sides,
            self.coverage,
            self.local_replies,
            self.arrived_ms,
        )


@dataclass(frozen=True, slots=True)
class AnswerFacts:
    """The measurements of one answer that are kept with its score.

    The only text of the answer is ``excerpt``, which is empty by default. ``faults`` are values of
    ``glidepath.answer_faults.AnswerFault``: what is wrong with the answer by itself.
    """

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
    faults: tuple[str, ...] = ()
    ending: Ending = Ending.COMPLETE
    streamed: bool = False  # sent piece by piece


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """The result of scoring one pair.

    If ``scored`` is true, ``agreement`` is between 0 and 1. Otherwise ``unscored_reason`` gives the reason.
    ``preference`` is None if the evaluator has not judged the pair, and ``correctness`` is None if the verifier has
    not. ``unjudged`` and ``unverified`` are the reasons, if they were to be asked: "timeout", "budget". ``entry`` is
    the id of the pair's entry in the stream of pairs; the reader of the stream of results takes it from the result's
    entry.
    ``language`` is the language (ISO 639) of the baseline's answer if it is free text, and "" if it is unknown.
    """

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
    served: str = ""  # of the pair
    weights: str = ""  # the digest of the weights of the agreement (glidepath/agreement_weights.py); "" if unknown
    preference: Preference | None = None
    correctness: Correctness | None = None
    unjudged: str = ""
    unverified: str = ""
    language: str = ""
    both_copied: bool = False  # of the pair
    traceparent: str = ""  # of the pair
    entry: str = ""

    @property
    def uncompared(self) -> bool:
        """Whether the pair only shows how its requests ended, because the client's answer or the copy's failed.

        No one can compare its answers, and coverage counts its exchange as one without a pair. Only requests that the
        baseline served have such pairs.
        """
        if self.scored or self.baseline.origin is not Origin.LIVE:
            return False
        live, copy = self.baseline, self.candidate
        return not 200 <= live.status < 400 or copy.ending is not Ending.COMPLETE or is_failure(copy.status)


class Outcome(Enum):
    """The outcome of a gate. While a gate is inconclusive, the share stays and more evidence is collected."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


def is_failure(status: int) -> bool:
    """Return whether an HTTP status means that the backend failed: 408, 429, or any status outside 200 to 499."""
    return not 200 <= status < 500 or status in BUSY


def joined_digests(a: str, b: str) -> str:
    """Return the digest of two counts together: theirs if it is the same, else SEVERAL_DIGESTS. "": no requests."""
    return a if a == b or not b else b if not a else SEVERAL_DIGESTS


def add_counts(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    """Return the sum of two mappings of counts, key by key."""
    total = dict(a)
    for key, count in b.items():
        total[key] = total.get(key, 0) + count
    return total
