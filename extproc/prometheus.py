"""Prometheus metrics of extproc.

A scrape reads counters that extproc keeps for other purposes, so the metrics add no work to a request.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from extproc.body_limits import BodyMemory
from extproc.capture import Capturer
from extproc.grpc_services import AccessLogService, ProcessService
from extproc.inventory_observer import InventoryObserver
from extproc.redaction import Redactor
from extproc.traffic_counters import TrafficCounters
from extproc.write_buffer import WriteBuffer
from glidepath.config import Config
from glidepath.metric_families import Family

Labels = TypeVar("Labels", bound=tuple[str, ...])


@dataclass(frozen=True, slots=True)
class MetricSources:
    config: Config
    process: ProcessService
    access_log: AccessLogService
    capturer: Capturer
    counters: TrafficCounters
    buffer: WriteBuffer
    memory: BodyMemory
    redactor: Redactor
    inventory: InventoryObserver | None = None


class ExtprocCollector(Collector):
    """Collects all metrics of one worker. No label contains a user, a session or a path."""

    def __init__(self, sources: MetricSources) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Family]:
        yield from self._streams()
        yield from self._traffic()
        yield from self._sources.counters.latencies.families()
        yield from self._sources.counters.tokens.families(self._sources.config)
        yield from self._stores()
        if self._sources.inventory is not None:
            yield from _of_inventory(self._sources.inventory)

    def _streams(self) -> Iterator[Family]:
        sources = self._sources
        yield _counter("exchanges", "ext_proc streams received", sources.process.exchanges)
        yield _gauge("streams", "ext_proc streams open now", sources.process.open)
        yield _counter(
            "illegal_events",
            "ext_proc messages that were not legal in their exchange's state",
            sources.process.illegal_events,
        )
        yield _counter("unmatched_exchanges", "Exchanges whose route belongs to no workload", sources.process.unmatched)
        yield _counter("access_log_entries", "Access log entries read", sources.access_log.entries)
        yield _counter(
            "access_log_ignored", "Access log entries that belong to no workload", sources.access_log.ignored
        )
        yield _counters(
            "pinned_requests",
            "Requests that the baseline serves without a split, because of state or an unreadable body",
            ("workload", "reason"),
            sources.access_log.pinned,
        )
        yield _counters(
            "stripped_requests",
            "Requests that a backend got without the reasoning and the tool call ids of another server",
            ("workload", "backend"),
            sources.access_log.stripped,
        )
        yield _gauge("memory_bytes", "Body bytes in memory now", sources.memory.held)
        yield _gauge("memory_peak_bytes", "Largest number of body bytes in memory so far", sources.memory.peak)
        yield _gauge("memory_limit_bytes", "Limit of body bytes in memory (extproc.max_memory)", sources.memory.limit)
        yield _counter(
            "memory_refusals",
            "Body chunks cut because the limit of body bytes in memory was reached",
            sources.memory.refused,
        )

    def _traffic(self) -> Iterator[Family]:
        counters = self._sources.counters
        yield _counters("coverage", "Captured exchanges by result", ("workload", "reason"), counters.coverage_totals)
        yield _counters(
            "requests",
            "Finished requests by side and result: ok, client_abort or the kind of error",
            ("workload", "side", "origin", "result"),
            counters.outcome_totals,
        )
        yield _counters(
            "answer_checks",
            "Answers to clients and copies by the result of their check: good, failed, or unchecked (too many waited)",
            ("workload", "side", "origin", "result"),
            self._sources.capturer.checker.totals,
        )
        yield _counters(
            "rejections",
            "Requests with result ok that count as an error of this side: only this side refused them with a 4xx, or"
            " the answer failed although its status says success",
            ("workload", "side", "origin", "result"),
            counters.rejection_totals,
        )
        yield _counters(
            "untimed_requests",
            "Requests with result ok and without a latency: answered before their end, or switched to another protocol",
            ("workload", "side", "origin"),
            counters.untimed_totals,
        )
        yield _counters(
            "rescues",
            "Requests with result failover, by the baseline's result: answered, failed (the client got an error) or"
            " client_abort",
            ("workload", "result"),
            counters.rescue_totals,
        )
        yield _counters(
            "local_replies",
            "Requests that Envoy or one of its filters answered, by the side that the split chose (empty: unknown), by"
            " whose fault it is (client, envoy, none) and by kind",
            ("workload", "side", "origin", "at_fault", "kind"),
            counters.local_reply_totals,
        )
        yield _counters(
            "served_requests",
            "Requests whose side is remembered for feedback, by result: remembered, full (feedback.requests), burst"
            " (too many at once) or redis (not accepted)",
            ("workload", "result"),
            self._sources.access_log.served.totals,
        )
        in_flight = GaugeMetricFamily("glidepath_extproc_tee_in_flight", "Copies in flight now", labels=["workload"])
        for workload, number in sorted(self._sources.capturer.in_flight.counts.items()):
            in_flight.add_metric([workload], number)
        yield in_flight
        pauses = GaugeMetricFamily(
            "glidepath_extproc_copies_pause_seconds",
            "Seconds until the next copy to a backend that answered 429 or fails every copy",
            labels=["backend"],
        )
        for backend, seconds in sorted(self._sources.capturer.cool_downs.pausing(time.monotonic()).items()):
            pauses.add_metric([backend], seconds)
        yield pauses

    def _stores(self) -> Iterator[Family]:
        buffer = self._sources.buffer
        pairs, size = buffer.fill
        yield _gauge("buffer_pairs", "Pairs waiting for Redis", pairs)
        yield _gauge("buffer_bytes", "Bytes of pairs waiting for Redis", size)
        yield _gauge("redis_up", "1 if Redis accepted the last write, 0 otherwise", 0 if buffer.outage else 1)
        yield _counter("redis_retries", "Failed writes to Redis that were repeated", buffer.retries)
        yield _counter(
            "redaction_timeouts", "Bodies not stored because redaction took too long", self._sources.redactor.timeouts
        )
        yield _counter(
            "redaction_unreadable", "Bodies not stored because they are not text", self._sources.redactor.unreadable
        )


def _of_inventory(inventory: InventoryObserver) -> Iterator[Family]:
    yield _counters(
        "inventory_requests",
        "Requests counted for the inventory, by their source: log; body or unread (of the sample); dropped (too"
        " many bodies waited) and failed are parts of unread",
        ("seen",),
        {(seen,): number for seen, number in inventory.totals.items()},
    )
    overflow, dropped = inventory.tallies.overflow, inventory.tallies.dropped
    yield _counter("inventory_overflow", "Requests of groups beyond inventory.groups, counted as other", overflow)
    yield _counter("inventory_dropped_groups", "Groups of old periods dropped because Redis did not answer", dropped)
    yield _counter("inventory_write_failures", "Failed writes of the inventory to Redis", inventory.write_failures)


def _counter(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(f"glidepath_extproc_{name}", text, value=value)


def _counters(name: str, text: str, labels: Labels, totals: Mapping[Labels, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"glidepath_extproc_{name}", text, labels=labels)
    for values, number in sorted(totals.items()):
        family.add_metric(values, number)
    return family


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"glidepath_extproc_{name}", text, value=value)
