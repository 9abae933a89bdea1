"""Prometheus metrics, read off the parts' own counters when somebody scrapes: nothing on the hot path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from extproc.bounded_body import Memory
from extproc.capture import Capturer
from extproc.counters import Ledger
from extproc.grpc_services import AccessLogService, ProcessService
from extproc.redaction import Redactor
from extproc.write_buffer import BufferedSink

Metric = CounterMetricFamily | GaugeMetricFamily
Labels = TypeVar("Labels", bound=tuple[str, ...])


@dataclass(frozen=True, slots=True)
class Parts:
    process: ProcessService
    access_log: AccessLogService
    capturer: Capturer
    ledger: Ledger
    sink: BufferedSink
    memory: Memory
    redactor: Redactor


class ExtprocCollector(Collector):
    """Everything one worker counts; no label ever holds a user, a session or a path."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        yield from self._streams()
        yield from self._traffic()
        yield from self._stores()

    def _streams(self) -> Iterator[Metric]:
        parts = self._parts
        yield _counter("exchanges", "ext_proc streams taken", parts.process.exchanges)
        yield _gauge("streams", "ext_proc streams open now", parts.process.open)
        yield _counter("illegal_events", "Messages that an exchange could not have then", parts.process.illegal)
        yield _counter("foreign_exchanges", "Exchanges of no workload of ours", parts.process.strangers)
        yield _counter("access_log_entries", "Access log entries read", parts.access_log.entries)
        yield _counter("access_log_ignored", "Access log entries that concern no side", parts.access_log.ignored)
        yield _gauge("memory_bytes", "Bytes of bodies held now", parts.memory.held)
        yield _gauge("memory_peak_bytes", "Most bytes of bodies held so far", parts.memory.peak)
        yield _gauge("memory_limit_bytes", "Bytes of bodies that may be held", parts.memory.limit)
        yield _counter("memory_refusals", "Chunks cut because memory was full", parts.memory.refused)

    def _traffic(self) -> Iterator[Metric]:
        ledger = self._parts.ledger
        yield _counters("coverage", "What became of captured exchanges", ("workload", "reason"), ledger.coverage_totals)
        yield _counters(
            "requests",
            "Finished requests by side and result (ok, client_abort or the error's kind)",
            ("workload", "side", "origin", "result"),
            ledger.outcome_totals,
        )
        yield _counters(
            "rejections",
            "Requests, counted ok above, that this side refused and the other answered: errors of this side",
            ("workload", "side", "origin", "result"),
            ledger.blamed_totals,
        )
        yield _counters(
            "rescues",
            "Requests, counted failover above, in which Envoy turned to the baseline: answered, failed (the client got"
            " an error) or client_abort",
            ("workload", "result"),
            ledger.rescue_totals,
        )
        in_flight = GaugeMetricFamily("glidepath_extproc_tee_in_flight", "Copies under way now", labels=["workload"])
        for workload, number in sorted(self._parts.capturer.in_flight.counts.items()):
            in_flight.add_metric([workload], number)
        yield in_flight

    def _stores(self) -> Iterator[Metric]:
        sink = self._parts.sink
        pairs, size = sink.fill
        yield _gauge("buffer_pairs", "Pairs waiting for Redis", pairs)
        yield _gauge("buffer_bytes", "Bytes of pairs waiting for Redis", size)
        yield _gauge("redis_up", "1 while Redis takes what is written", 0 if sink.away else 1)
        yield _counter("redis_retries", "Writes to Redis that had to be repeated", sink.retries)
        yield _counter(
            "redaction_timeouts", "Bodies left out because a pattern took too long", self._parts.redactor.timeouts
        )


def _counter(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(f"glidepath_extproc_{name}", text, value=value)


def _counters(name: str, text: str, labels: Labels, totals: Mapping[Labels, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"glidepath_extproc_{name}", text, labels=labels)
    for values, number in sorted(totals.items()):
        family.add_metric(values, number)
    return family


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"glidepath_extproc_{name}", text, value=value)
