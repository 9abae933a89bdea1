"""Envoy's own counters of the requests to the two sides of a workload, read from its admin API. Pure.

The counter guard uses them, because they need neither extproc nor Redis. These counters show a failure, as measured
with Envoy 1.40 (docs/proof/failing-parts.md):

- an answer 5xx: ``upstream_rq_5xx`` of the cluster to which the split routes, or, if a fallback retried it,
  ``retry.upstream_rq_5xx`` of the aggregate cluster;
- an answer that breaks off: ``upstream_cx_destroy_remote_with_active_rq`` (HTTP/1.1) and ``upstream_rq_rx_reset``
  (HTTP/2) of the cluster that has the endpoints;
- no connection: ``upstream_rq_pending_failure_eject``, one for each request;
- a timeout: ``upstream_rq_timeout`` and ``upstream_rq_per_try_timeout``.

One failed request may raise several of these counters: an answer that is reset before its headers counts as a broken
answer and as a 503. So only the largest of them counts, and the result never exceeds the number of failed requests.
Source: Envoy, "Cluster manager statistics" and ``GET /stats?format=json&filter=``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

from glidepath import envoy_names
from glidepath.config import Config

# Counters of the cluster to which the split routes.
COMPLETED, ANSWERED_5XX, RETRIED_5XX = "upstream_rq_completed", "upstream_rq_5xx", "retry.upstream_rq_5xx"
TIMEOUT, TRY_TIMEOUT = "upstream_rq_timeout", "upstream_rq_per_try_timeout"
# Counters of the cluster that has the endpoints.
SENT, NOT_CONNECTED = "upstream_rq_total", "upstream_rq_pending_failure_eject"
BROKEN, RESET = "upstream_cx_destroy_remote_with_active_rq", "upstream_rq_rx_reset"
COUNTERS = (
    *(COMPLETED, ANSWERED_5XX, RETRIED_5XX, TIMEOUT, TRY_TIMEOUT),
    *(SENT, NOT_CONNECTED, BROKEN, RESET),
)
LOG_ENTRIES = ("access_logs.grpc_access_log.logs_written", "access_logs.grpc_access_log.logs_dropped")
MAX_NAMES = 64  # clusters in a query; for more, the query asks for the counters of all clusters
MAX_BYTES = 4 * 2**20

Counters = Mapping[str, int]
"""Name → value of Envoy's counters."""


@dataclass(frozen=True, slots=True)
class SideClusters:
    """The clusters of one side: ``entry``, to which the split routes, and ``real``, which has the endpoints."""

    entry: str
    real: str


@dataclass(frozen=True, slots=True)
class SideCounts:
    """The number of requests to one side, and a lower bound of how many of them failed."""

    requests: int = 0
    failures: int = 0

    def __add__(self, other: SideCounts) -> SideCounts:
        return SideCounts(self.requests + other.requests, self.failures + other.failures)


NONE = SideCounts()


@dataclass(frozen=True, slots=True)
class CountedClusters:
    """The clusters of a workload's two sides. Workloads with the same clusters have the same counters."""

    candidate: SideClusters
    baseline: SideClusters

    @classmethod
    def of(cls, config: Config, name: str) -> CountedClusters:
        workload = config.workload(name)
        candidate, baseline = (config.backends[one] for one in (workload.candidate, workload.baseline))
        entry = (
            envoy_names.fallback_cluster(workload.candidate, workload.baseline)
            if workload.fallback
            else workload.candidate
        )
        return cls(
            SideClusters(entry, candidate.cluster or workload.candidate),
            SideClusters(baseline.cluster or workload.baseline, baseline.cluster or workload.baseline),
        )

    @property
    def names(self) -> frozenset[str]:
        return frozenset((self.candidate.entry, self.candidate.real, self.baseline.entry, self.baseline.real))


def stats_path(clusters: Iterable[CountedClusters]) -> str:
    """Return the path at which the admin API returns the counters of these clusters and of the access log."""
    names = sorted({name for one in clusters for name in one.names})
    some = "|".join(map(re.escape, names)) if len(names) <= MAX_NAMES else ".*"
    counters, log = "|".join(map(re.escape, COUNTERS)), "|".join(map(re.escape, LOG_ENTRIES))
    wanted = f"cluster\\.({some})\\.({counters})|" if names else ""
    return f"/stats?format=json&filter={quote(f'^({wanted}{log})$', safe='')}"


def parse_counters(body: bytes) -> dict[str, int]:
    """Return the counters in an answer to ``stats_path``, by name. Raises ValueError if ``body`` is no such answer."""
    try:
        found = json.loads(body)["stats"]
        return {str(one["name"]): int(one["value"]) for one in found if "name" in one}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError("not an answer to GET /stats") from error


def log_entries(counters: Counters) -> int | None:
    """Return how many access log entries an Envoy has written or dropped; None if it has no such log."""
    values = [counters[name] for name in LOG_ENTRIES if name in counters]
    return sum(values) if values else None


class Answered(NamedTuple):
    """The number of requests that an Envoy has answered, with any status.

    ``requests`` is the sum of one counter per cluster, and ``counters`` is the number of these counters. Two values can
    be compared only if their ``counters`` are equal.
    """

    counters: int = 0
    requests: int = 0


def answered(counters: Counters, clusters: Iterable[CountedClusters]) -> Answered:
    """Return how many requests to these clusters an Envoy has answered."""
    entries = {_name(side.entry, COMPLETED) for one in clusters for side in (one.candidate, one.baseline)}
    found = [counters[name] for name in entries if name in counters]
    return Answered(len(found), sum(found))


def knows(counters: Counters, clusters: CountedClusters) -> bool:
    """Return whether an Envoy counts the requests of the candidate's clusters under the expected names.

    A cluster has the counter of sent requests from the beginning. The other counters may appear with the first request.
    """
    side = clusters.candidate
    return _name(side.entry, SENT) in counters and _name(side.real, SENT) in counters


@lru_cache(maxsize=8192)
def _name(cluster: str, counter: str) -> str:
    return f"cluster.{cluster}.{counter}"


def increase(before: Counters, after: Counters, side: SideClusters) -> SideCounts:
    """Return the requests to a side and their failures between two readings.

    A counter that is lower than before was reset to 0.
    """

    def grown(cluster: str, counter: str) -> int:
        name = _name(cluster, counter)
        value, was = after.get(name, 0), before.get(name, 0)
        return value - was if value >= was else value

    answered = grown(side.entry, COMPLETED)
    bad_answers = max(
        grown(side.entry, ANSWERED_5XX),
        grown(side.entry, RETRIED_5XX),
        grown(side.entry, TIMEOUT) + grown(side.entry, TRY_TIMEOUT),
    )
    not_connected = grown(side.real, NOT_CONNECTED)
    sent = grown(side.real, SENT) + not_connected
    no_answers = max(grown(side.real, BROKEN) + grown(side.real, RESET), not_connected)
    if no_answers > bad_answers:
        return SideCounts(max(sent, no_answers), no_answers)
    return SideCounts(max(answered, bad_answers), bad_answers)
