"""The outcomes of one workload, side and origin, counted since the last flush."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from extproc.outcome_classification import RequestOutcome
from glidepath.histogram import Histogram, bucket_of
from glidepath.outcome_summaries import SideOutcomes
from glidepath.sides import Origin, Side
from glidepath.token_usage import ServiceTier, TokenSource, TokenUsage


@dataclass(slots=True)
class SideCounts:
    """A mutable form of SideOutcomes."""

    requests: int = 0
    errors: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    client_aborts: int = 0
    failovers: int = 0
    latency: Counter[int] = field(default_factory=Counter)
    latency_zeros: int = 0
    ttft: Counter[int] = field(default_factory=Counter)
    ttft_zeros: int = 0
    headers: Counter[int] = field(default_factory=Counter)
    headers_zeros: int = 0
    duration: Counter[int] = field(default_factory=Counter)
    aborted: Counter[int] = field(default_factory=Counter)
    first_error_ms: int = 0
    rescued: int = 0
    rescues_failed: int = 0
    failed_at_both: int = 0
    not_found: int = 0
    refused: int = 0
    served: str = ""
    checked: int = 0
    usage: dict[tuple[TokenSource, ServiceTier], TokenUsage] = field(default_factory=dict)
    sent_bytes: int = 0
    baseline_copies: int = 0
    baseline_copies_failed: int = 0
    rejections: list[tuple[str, int]] = field(
        default_factory=list
    )  # (kind, time) of errors that the access log reports as requests without an error

    def add(self, outcome: RequestOutcome) -> None:
        if outcome.client_abort:
            self.client_aborts += 1
            if outcome.aborted_ms is not None:
                self.aborted[bucket_of(max(outcome.aborted_ms, 1))] += 1
            return
        self.requests += 1
        self.not_found += outcome.not_found
        self.refused += outcome.refused
        if outcome.error:
            self.errors += 1
            self.kinds[outcome.error] += 1
            self.failovers += outcome.failover
            self.rescued += outcome.rescued is True
            self.rescues_failed += outcome.rescued is False
            self.failed_at_both += outcome.failed_at_both
            self.first_error_ms = min(self.first_error_ms or outcome.at_ms, outcome.at_ms)
        if outcome.latency_ms is not None:
            if outcome.latency_ms > 0:
                self.latency[bucket_of(outcome.latency_ms)] += 1
            else:
                self.latency_zeros += 1
        if outcome.duration_ms is not None:
            self.duration[bucket_of(max(outcome.duration_ms, 1))] += 1
        if outcome.ttft_ms is not None:
            if outcome.ttft_ms > 0:
                self.ttft[bucket_of(outcome.ttft_ms)] += 1
            else:
                self.ttft_zeros += 1
        if outcome.headers_ms is not None:
            if outcome.headers_ms > 0:
                self.headers[bucket_of(outcome.headers_ms)] += 1
            else:
                self.headers_zeros += 1

    def apply_rejections(self) -> list[tuple[str, int]]:
        """Count rejections as errors, but never more errors than requests. Return the rejections that are left.

        A rejection is a 4xx of one side for a request that the other side accepted, or an answer that failed although
        its status says success. The rejected request is counted when the access log reports it, which may be later.
        """
        while self.rejections and self.errors < self.requests:
            kind, at_ms = self.rejections.pop()
            self.errors += 1
            self.kinds[kind] += 1
            self.first_error_ms = min(self.first_error_ms or at_ms, at_ms)
        return self.rejections

    def frozen(self, side: Side, origin: Origin) -> SideOutcomes:
        return SideOutcomes(
            side=side,
            origin=origin,
            requests=self.requests,
            errors=self.errors,
            error_kinds=dict(self.kinds),
            client_aborts=self.client_aborts,
            failovers=self.failovers,
            latency_ms=Histogram(dict(self.latency), self.latency_zeros),
            ttft_ms=Histogram(dict(self.ttft), self.ttft_zeros),
            headers_ms=Histogram(dict(self.headers), self.headers_zeros),
            duration_ms=Histogram(dict(self.duration) if (side, origin) == (Side.CANDIDATE, Origin.LIVE) else {}),
            first_error_ms=self.first_error_ms,
            rescued=self.rescued,
            rescues_failed=self.rescues_failed,
            failed_at_both=self.failed_at_both,
            not_found=self.not_found,
            refused=self.refused,
            served=self.served,
            checked=self.checked,
            aborted_ms=Histogram(dict(self.aborted)),
            usage=tuple(self.usage.values()),
            sent_bytes=self.sent_bytes,
            baseline_copies=self.baseline_copies,
            baseline_copies_failed=self.baseline_copies_failed,
        )
