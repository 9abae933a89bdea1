"""The metrics that each process exports, read from the registries that the processes themselves build."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from extproc.answer_check import AnswerChecker
from extproc.body_limits import BodyMemory
from extproc.capture import Capturer
from extproc.copy_budget import Budgets
from extproc.copy_sender import ShadowAnswer, ShadowRequest
from extproc.grpc_services import AccessLogService, ProcessService
from extproc.inventory_observer import InventoryObserver
from extproc.pair_encoding import EncodedPair, RawPair
from extproc.prometheus import ExtprocCollector, MetricSources
from extproc.redaction import Redactor
from extproc.traffic_counters import TrafficCounters
from extproc.workloads import build_workloads
from extproc.write_buffer import BufferLimits, WriteBuffer
from glidepath.config import Config, parse_config
from glidepath.metric_families import MetricDefinition, ProcessRegistry
from glidepath.outcome_summaries import Outcomes
from glidepath.telemetry.load_telemetry import NoSignals, SignalsCollector
from glidepath_ops.console.live_updates import LiveViews
from glidepath_ops.console.metrics import ConsoleMetrics
from scorer.scoring.worker.score_metrics import ScoreMetrics
from scorer.service import ScorerService

EXTPROC, SCORER, CONSOLE = "extproc", "scorer", "console"
# extproc exports the inventory's metrics only with an inventory. No other metric depends on the file.
_FILE = """\
backends: {old: {url: "http://127.0.0.1:9001"}, new: {url: "http://127.0.0.1:9002"}}
workloads: {chat: {match: {path: /v1/chat/completions}, baseline: old, candidate: new}}
inventory: {}
"""


def exported_metrics() -> Mapping[str, Sequence[MetricDefinition]]:
    """Return for each process its metrics, sorted by name."""
    config = parse_config(_FILE)
    registries = {EXTPROC: _of_extproc(config), SCORER: _of_scorer(config), CONSOLE: _of_console()}
    return {
        process: sorted(registry.definitions(), key=lambda one: one.name) for process, registry in registries.items()
    }


class _Unused:
    """Stands for the parts of extproc that send and store. They are never called, because nothing is captured."""

    async def send(self, copy: ShadowRequest) -> ShadowAnswer:
        raise NotImplementedError

    async def write(self, pairs: Sequence[EncodedPair], outcomes: Sequence[Outcomes]) -> tuple[list[bool], list[bool]]:
        raise NotImplementedError

    async def encode(self, batch: Sequence[RawPair]) -> Sequence[EncodedPair | None]:
        raise NotImplementedError


def _of_extproc(config: Config) -> ProcessRegistry:
    registry, section, unused = ProcessRegistry(), config.extproc, _Unused()
    counters, memory, workloads = TrafficCounters(), BodyMemory(section.max_memory), build_workloads(config)
    buffer = WriteBuffer(unused, unused, counters, BufferLimits(section.buffer, section.buffer_bytes), EXTPROC)
    checker = AnswerChecker(counters, section.max_body)
    try:
        capturer = Capturer(counters, Budgets(config), unused, buffer, asyncio.TaskGroup(), checker)
        process = ProcessService(workloads, capturer, memory, section.max_body, section.max_streams)
        access_log, redactor = AccessLogService(workloads, counters), Redactor(config.redaction)
        inventory = InventoryObserver.of(config)
        sources = MetricSources(config, process, access_log, capturer, counters, buffer, memory, redactor, inventory)
        registry.register(ExtprocCollector(sources))
        registry.register(SignalsCollector(NoSignals()))
    finally:
        checker.close()
    return registry


def _of_scorer(config: Config) -> ProcessRegistry:
    registry = ScorerService(config).registry
    ScoreMetrics(registry)
    return registry


def _of_console() -> ProcessRegistry:
    registry = ProcessRegistry()
    ConsoleMetrics(registry).show_pages(LiveViews(lambda _: None))
    return registry
