"""Compute the requests, errors and latencies of each side in a step, for ``glidepath status``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from glidepath.status_and_decisions import SideStatus
from scorer.steering.evidence.dense_histogram import DenseHistogram
from scorer.steering.evidence.gate_observations import RequestCounts
from scorer.steering.evidence.latency_samples import LatencySignal


def side_statuses(counts: RequestCounts, signals: Mapping[str, LatencySignal]) -> tuple[SideStatus, SideStatus]:
    """Return the figures of the baseline, then those of the candidate.

    ``counts``: the requests of the step. ``signals``: the name of each latency signal → its values in the step.
    """
    shown = (signals[name].shown for name in ("total", "ttft", "headers"))
    candidate, baseline = zip(*shown, strict=True)
    return (
        _status(counts.b_n, counts.b_errors, *baseline),
        replace(
            _status(counts.c_n, counts.c_errors, *candidate),
            rescued=counts.rescued,
            rescues_failed=counts.rescues_failed,
        ),
    )


def _status(n: int, errors: int, total: DenseHistogram, ttft: DenseHistogram, headers: DenseHistogram) -> SideStatus:
    return SideStatus(
        requests=n,
        errors=errors,
        p50_ms=_quantile(total, 0.50),
        p95_ms=_quantile(total, 0.95),
        p99_ms=_quantile(total, 0.99),
        ttft_p50_ms=_quantile(ttft, 0.50),
        headers_p50_ms=_quantile(headers, 0.50),
    )


def _quantile(values: DenseHistogram, q: float) -> float | None:
    """Return a quantile; None if the values are too few: on average, at least one must be above the quantile."""
    return values.quantile(q) if values.total >= round(1 / (1 - q)) else None
