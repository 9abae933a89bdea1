"""Counters of outcomes and coverage.

The counts since the last flush are for Redis. The counts since the start of the process are for the metrics.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from extproc.errors_missing_in_access_log import RefusalMatcher, RefusedRequest, Rejection
from extproc.latency_totals import LatencyTotals
from extproc.outcome_classification import LocalReply, RequestOutcome
from extproc.side_counts import SideCounts
from extproc.token_totals import TokenTotals
from glidepath.latency import LEAST_WAIT_MS
from glidepath.outcome_summaries import (
    PINNED,
    AtFault,
    Coverage,
    LocalReplies,
    Outcomes,
    SideOutcomes,
    add_counts,
    joined_digests,
)
from glidepath.pairs import PairKind
from glidepath.sides import Origin, Side
from glidepath.token_usage import TokenUsage

MAX_WAITING_REJECTIONS = 10_000
MAX_KINDS = 32  # kinds of local replies that are counted separately; a filter may invent any number of kinds
OTHER = "other"
_Replies = tuple[str, Side | None, Origin, AtFault]  # the workload, and the fields of LocalReplies except the counts


def coverage_name(reason: Coverage, kind: PairKind = PairKind.CROSS) -> str:
    """Return the name under which a coverage reason is counted.

    For CROSS pairs the name is the reason itself. For noise pairs it has the prefix ``noise_``, so that the counts of
    CROSS pairs add up to the number of captured exchanges.
    """
    return reason.value if kind is PairKind.CROSS else f"noise_{reason.value}"


# A table, because ``count`` runs for every exchange, and a dict lookup costs less than a call of ``coverage_name``.
_NAMES = tuple({reason: coverage_name(reason, kind) for reason in Coverage} for kind in PairKind)


_RESCUE_RESULTS = {True: "answered", False: "failed", None: "client_abort"}


class TrafficCounters:
    """The counters of one process.

    ``flush`` returns and resets the counts since the last flush. The attributes ``…_totals`` are the counts since the
    start of the process. ``on_failure`` is called for every live request that failed at a candidate or at Envoy itself,
    or whose client left after a wait, so that an urgent flush can follow.
    """

    def __init__(self, on_failure: Callable[[], None] = lambda: None) -> None:
        self._on_failure = on_failure
        self._local_replies: dict[_Replies, Counter[str]] = {}
        self._side_counts: dict[tuple[str, Side, Origin], SideCounts] = {}
        self._refusals = RefusalMatcher()
        self._coverage: dict[str, dict[str, int]] = {}
        self._since_ms = 0
        self.outcome_totals: Counter[tuple[str, str, str, str]] = Counter()  # workload, side, origin, result
        self.rejection_totals: Counter[tuple[str, str, str, str]] = (
            Counter()
        )  # the same labels, but the result is the kind of rejection; outcome_totals includes these requests, too
        self.local_reply_totals: Counter[tuple[str, str, str, str, str]] = (
            Counter()
        )  # workload, side that the split chose or "", origin, fault, kind
        self.coverage_totals: Counter[tuple[str, str]] = Counter()  # workload, reason
        self.rescue_totals: Counter[tuple[str, str]] = Counter()  # workload, result of the rescue
        self.untimed_totals: Counter[tuple[str, str, str]] = Counter()  # workload, side, origin
        self.latencies, self.tokens = LatencyTotals(), TokenTotals()

    def record(self, outcome: RequestOutcome, request_id: str = "", served: str = "", sent_bytes: int = 0) -> None:
        """Count the outcome of a request.

        ``request_id``: the request's id if its status is below 500, otherwise "".
        ``served``: the served digest (glidepath/served_digest.py).
        ``sent_bytes``: the length of the request's body.

        If capture has already proven that the answer failed, its latency is not counted.
        """
        rejection = self._proven(outcome, request_id) if request_id else None
        if rejection is not None:
            outcome = replace(outcome, latency_ms=None, ttft_ms=None, headers_ms=None, duration_ms=None, untimed=False)
        side_counts = self._counts_of(outcome.workload, outcome.side, outcome.origin)
        side_counts.add(outcome)
        side_counts.sent_bytes += sent_bytes
        side_counts.served = joined_digests(side_counts.served, served)
        waited = (outcome.aborted_ms or 0) >= LEAST_WAIT_MS
        if (outcome.error or waited) and outcome.side is Side.CANDIDATE and outcome.origin is Origin.LIVE:
            self._on_failure()
        result = "client_abort" if outcome.client_abort else outcome.error or "ok"
        self.outcome_totals[(outcome.workload, outcome.side.value, outcome.origin.value, result)] += 1
        if outcome.untimed:
            self.untimed_totals[(outcome.workload, outcome.side.value, outcome.origin.value)] += 1
        if outcome.failover:
            self.rescue_totals[(outcome.workload, _RESCUE_RESULTS[outcome.rescued])] += 1
        self._reject(rejection)

    def _counts_of(self, workload: str, side: Side, origin: Origin) -> SideCounts:
        key = (workload, side, origin)
        counts = self._side_counts.get(key)
        if counts is None:
            counts = self._side_counts[key] = SideCounts()
        return counts

    def _proven(self, outcome: RequestOutcome, request_id: str) -> Rejection | None:
        """Return the error that capture has proven and the access log entry does not show, or None."""
        request = RefusedRequest(outcome.workload, outcome.side, outcome.origin, request_id)
        return self._refusals.entry(request, not outcome.error and not outcome.client_abort)

    def record_local_reply(self, reply: LocalReply) -> None:
        """Count a request that Envoy or a filter answered."""
        kinds = self._local_replies.setdefault((reply.workload, reply.side, reply.origin, reply.at_fault), Counter())
        kinds[reply.kind if reply.kind in kinds or len(kinds) < MAX_KINDS else OTHER] += 1
        if reply.at_fault is AtFault.ENVOY and reply.origin is Origin.LIVE:
            self._on_failure()
        labels = (reply.workload, reply.side.value if reply.side else "", reply.origin.value, reply.at_fault.value)
        totals = self.local_reply_totals
        known = (*labels, reply.kind) in totals or len(totals) < MAX_KINDS * 32
        totals[(*labels, reply.kind if known else OTHER)] += 1

    def count_rejection(self, rejection: Rejection) -> None:
        """Count an error that the access log does not show: a 4xx of one side only, or an answer that failed.

        The access log reports such a request before or after this call. If it reports the request as an error or as a
        client abort, the rejection is not counted.
        """
        self._reject(self._refusals.proof(rejection))

    def _reject(self, rejection: Rejection | None) -> None:
        if rejection is None:
            return
        workload, side, origin = rejection.request.workload, rejection.request.side, rejection.request.origin
        self._counts_of(workload, side, origin).rejections.append((rejection.kind, rejection.at_ms))
        self.rejection_totals[(workload, side.value, origin.value, rejection.kind)] += 1
        if side is Side.CANDIDATE and origin is Origin.LIVE:
            self._on_failure()

    def count_checked(self, workload: str, side: Side, origin: Origin) -> None:
        """Count an answer whose captured body was checked."""
        self._counts_of(workload, side, origin).checked += 1

    def count_baselines_copy(self, workload: str, served: Side, *, failed: bool) -> None:
        """Count a copy that the baseline got of a request that ``served`` answered. See baseline_copy_failures.py."""
        counts = self._counts_of(workload, served, Origin.LIVE)
        counts.baseline_copies += 1
        counts.baseline_copies_failed += failed

    def count_usage(self, workload: str, side: Side, origin: Origin, usage: TokenUsage) -> None:
        """Count the tokens of a captured answer."""
        by_key = self._counts_of(workload, side, origin).usage
        known = by_key.get(usage.key)
        by_key[usage.key] = usage if known is None else known + usage

    def count(self, workload: str, reason: Coverage, kind: PairKind = PairKind.CROSS, number: int = 1) -> None:
        name = _NAMES[kind is PairKind.NOISE][reason]
        counts = self._coverage.get(workload)
        if counts is None:
            counts = self._coverage[workload] = {}
        counts[name] = counts.get(name, 0) + number
        key = (workload, name)
        self.coverage_totals[key] = self.coverage_totals.get(key, 0) + number

    def count_pinned(self, workload: str, why: str) -> None:
        """Count a request that always goes to the baseline, without a split. It is not a captured exchange."""
        counts = self._coverage.setdefault(workload, {})
        counts[PINNED + why] = counts.get(PINNED + why, 0) + 1

    def flush(self, now_ms: int) -> list[Outcomes]:
        """Return the counts since the last flush, and reset them.

        There is one Outcomes for each workload that has counts. Its source and its sequence number are not set yet.
        """
        for rejection in self._refusals.received_elsewhere(now_ms):
            self._reject(rejection)
        sides: dict[str, list[SideOutcomes]] = {}
        waiting: dict[tuple[str, Side, Origin], SideCounts] = {}
        for (workload, side, origin), side_counts in self._side_counts.items():
            left = side_counts.apply_rejections()
            reported = bool(side_counts.requests or side_counts.client_aborts)
            checked = 0 if reported else side_counts.checked  # checks of answers that no access log entry reports yet
            usage = {} if reported else side_counts.usage
            copies = (0, 0) if reported else (side_counts.baseline_copies, side_counts.baseline_copies_failed)
            if left or checked or usage or copies[0]:
                kept = SideCounts(rejections=left[-MAX_WAITING_REJECTIONS:], checked=checked, usage=usage)
                kept.baseline_copies, kept.baseline_copies_failed = copies
                waiting[(workload, side, origin)] = kept
            if reported:
                sides.setdefault(workload, []).append(side_counts.frozen(side, origin))
        replies: dict[str, list[LocalReplies]] = {}
        for (workload, chosen, origin, fault), kinds in self._local_replies.items():
            replies.setdefault(workload, []).append(LocalReplies(chosen, origin, fault, dict(kinds)))
        flushed = [
            Outcomes(
                workload=workload,
                source="",
                seq=0,
                from_ms=self._since_ms or now_ms,
                to_ms=now_ms,
                sides=tuple(sides.get(workload, ())),
                coverage=self._coverage.get(workload, {}),
                local_replies=tuple(replies.get(workload, ())),
            )
            for workload in sorted({*sides, *self._coverage, *replies})
        ]
        self._side_counts, self._coverage, self._since_ms = waiting, {}, now_ms
        self._local_replies = {}
        self.latencies.add(flushed)
        self.tokens.add(flushed)
        return flushed


def merge(earlier: Outcomes, later: Outcomes) -> Outcomes:
    """Return the sum of two flushes of one workload. It has the source and the sequence number of the earlier flush."""
    sides = {(s.side, s.origin): s for s in earlier.sides}
    for side in later.sides:
        key = (side.side, side.origin)
        sides[key] = sides[key] + side if key in sides else side
    replies = {(r.side, r.origin, r.at_fault): r for r in earlier.local_replies}
    for reply in later.local_replies:
        place = (reply.side, reply.origin, reply.at_fault)
        replies[place] = replies[place] + reply if place in replies else reply
    return Outcomes(
        workload=earlier.workload,
        source=earlier.source,
        seq=earlier.seq,
        from_ms=min(earlier.from_ms, later.from_ms),
        to_ms=max(earlier.to_ms, later.to_ms),
        sides=tuple(sides.values()),
        coverage=add_counts(earlier.coverage, later.coverage),
        local_replies=tuple(replies.values()),
    )
