"""Outcome summaries: how requests ended, summed over a short time. extproc writes them to Redis.

The fields ``from_ms``, ``to_ms``, ``arrived_ms`` and ``first_error_ms`` are times in Unix milliseconds. All other
fields ``*_ms`` are durations in milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from glidepath.histogram import Histogram
from glidepath.sides import Origin, Side
from glidepath.token_usage import TokenUsage, merged

NO_DIGEST = "none"  # reported for an Envoy whose routes carry no digest (glidepath/served_digest.py)
SEVERAL_DIGESTS = "several"  # reported for counts of requests of more than one digest
# The statuses with which a backend refuses what a request asks for (RFC 9110 section 15.5, RFC 6585, RFC 7725). If the
# other side accepts the request, the refusal is an error of this kind (ADR 0312).
CAPABILITY_STATUSES = (400, 404, 405, 406, 410, 411, 413, 414, 415, 416, 417, 422, 431, 451)
CAPABILITY = "capability"
# The statuses with which a backend refuses a request that it could serve at another time: no credit, too slow, a
# conflict, a lock, a failed dependency (RFC 4918, RFC 8470). 401, 403, 407 and 429 are in neither list.
OTHER_REFUSALS = (402, 408, 409, 412, 421, 423, 424, 425, 426, 428)
REFUSALS = tuple(sorted(CAPABILITY_STATUSES + OTHER_REFUSALS))
PINNED = "pinned_"  # in Outcomes.coverage, prefix of the reasons why requests are never split


def kind_of_refusal(status: int) -> str:
    """Return the kind of error that a side's 4xx is if the other side accepted the request."""
    return CAPABILITY if status in CAPABILITY_STATUSES else f"rejected_{status}"


class AtFault(StrEnum):
    """The party at fault if Envoy or one of its filters answered a request instead of a side."""

    CLIENT = "client"  # the request was refused
    ENVOY = "envoy"  # Envoy or a filter failed
    NONE = "none"  # it did not fail: for example, it came from a cache


class Coverage(StrEnum):
    """The result of capturing an exchange (a request with its answer).

    If an exchange is lost before it is scored, it is counted under the reason for the loss.
    """

    CAPTURED = "captured"  # exchanges whose bodies extproc received
    PAIRED = "paired"  # pairs written to Redis
    NOT_TEED = "not_teed"  # no copy: not an idempotent inference call, or the request was cut or incomplete
    GRPC = "grpc"  # no copy: a call of gRPC, whose messages are not read
    GIVES_CREDENTIAL = "gives_credential"  # no copy: the body gives a credential or a remote tool, or is unreadable
    HAS_EFFECTS = "has_effects"  # no copy: the server would act: hosted tools, background work
    NEEDS_STATE = "needs_state"  # no copy: the request needs what one server keeps: a response, a file, a container
    INELIGIBLE_MAX_BODY = "ineligible_max_body"  # no copy: the candidate cannot serve it (glidepath/eligibility.py)
    INELIGIBLE_CONTEXT = "ineligible_context"
    INELIGIBLE_MODALITIES = "ineligible_modalities"
    INELIGIBLE_TOOLS = "ineligible_tools"
    OPTED_OUT = "opted_out"  # no copy, and nothing stored, because of a rule of shadow.opt_out
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
class SideOutcomes:
    """The outcomes of the requests of one origin to one side, in one outcome summary.

    ``errors`` includes ``failovers``. A failover, also called a rescue, is a failed candidate request that Envoy then
    sent to the baseline.
    ``rescued``, ``rescues_failed``: the failovers that the baseline answered, and those that failed there too. In all
    other failovers, the client disconnected first.
    ``failed_at_both``: how many of ``rescues_failed`` the baseline itself answered with an error. The other rescues say
    nothing about the request: they met a time limit, broke, or came when the baseline had no capacity.
    ``ttft_ms``, ``headers_ms``: the times to the first byte of the answer's body and of its headers. A server may send
    headers long before the first content of a stream.
    ``duration_ms``: the durations, including uploads, of the clients' requests that the candidate answered. They show
    when these requests began. Empty for all other requests.
    ``refused``: the requests whose client got a 4xx that is not an error of a side.
    ``not_found``: the requests that the side answered with 404.
    ``checked``: the answers whose captured body was checked by itself. For all other answers, only the access log is
    known.
    ``aborted_ms``: the waiting times of clients that left without a byte of an answer (a part of ``client_aborts``).
    The latency of these requests would have been longer.
    ``usage``: the tokens of the captured answers, by source and tier. For requests that were not captured, the tokens
    are unknown.
    ``sent_bytes``: the total length of the bodies of all ``requests``.
    ``baseline_copies``: the copies that the baseline got of the clients' requests that this side answered without an
    error. ``baseline_copies_failed``: how many of them the baseline failed. Copies that show nothing about the baseline
    are in neither number (extproc/baseline_copy_failures.py).
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
    served: str = ""  # the served digest (glidepath/served_digest.py); "" if unknown
    checked: int = 0
    aborted_ms: Histogram = field(default_factory=Histogram)
    headers_ms: Histogram = field(default_factory=Histogram)
    usage: tuple[TokenUsage, ...] = ()
    sent_bytes: int = 0
    refused: int = 0
    baseline_copies: int = 0
    baseline_copies_failed: int = 0
    failed_at_both: int = 0

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
            failed_at_both=self.failed_at_both + other.failed_at_both,
            duration_ms=self.duration_ms + other.duration_ms,
            not_found=self.not_found + other.not_found,
            served=joined_digests(self.served, other.served),
            checked=self.checked + other.checked,
            aborted_ms=self.aborted_ms + other.aborted_ms,
            headers_ms=self.headers_ms + other.headers_ms,
            usage=merged((*self.usage, *other.usage)),
            sent_bytes=self.sent_bytes + other.sent_bytes,
            refused=self.refused + other.refused,
            baseline_copies=self.baseline_copies + other.baseline_copies,
            baseline_copies_failed=self.baseline_copies_failed + other.baseline_copies_failed,
        )


@dataclass(frozen=True, slots=True)
class LocalReplies:
    """The requests of one origin that Envoy or a filter answered, in one outcome summary, by the kind of reply.

    ``side``: the side that the split chose for them; None if it is unknown. No ``SideOutcomes`` counts these requests.
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
        """Return this summary with ``from_ms`` and ``to_ms`` shifted by ``ms``, to correct a slow clock of extproc."""
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


def joined_digests(a: str, b: str) -> str:
    """Return the served digest of two sets of requests: the common digest, or SEVERAL_DIGESTS if they differ.

    "" means that a set has no requests.
    """
    return a if a == b or not b else b if not a else SEVERAL_DIGESTS


def add_counts(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    """Return the sum of two mappings of counts, key by key."""
    total = dict(a)
    for key, count in b.items():
        total[key] = total.get(key, 0) + count
    return total
