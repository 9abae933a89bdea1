"""Capture with a sender and stores in memory, and the events of an exchange."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from extproc.answer_check import AnswerChecker
from extproc.body_limits import BodyMemory
from extproc.capture import Capturer
from extproc.captured_exchange import CapturedExchange
from extproc.clients_that_left import ClientsThatLeft
from extproc.copy_budget import Budgets
from extproc.exchange import Exchange
from extproc.exchange_events import Chunk, Event, RequestHeaders, ResponseHeaders
from extproc.exchange_transitions import Half
from extproc.traffic_counters import TrafficCounters
from extproc.workloads import WorkloadInfo, build_workloads
from extproc.write_buffer import InMemorySink
from glidepath.telemetry.signals import NO_TRACES, CopyTracer
from tests.support.in_memory_extproc import CHAT, TwinSender, capture_config
from tests.support.waiting import eventually

OK = ResponseHeaders(200, {"content-type": "application/json"}, 1, "via_upstream")


OF_CANDIDATE = replace(OK, backend="onprem")
END = Chunk(Half.RESPONSE, b"ours", True)


@dataclass(slots=True)
class CaptureSetup:
    workload: WorkloadInfo
    capturer: Capturer
    sender: TwinSender
    sink: InMemorySink
    counters: TrafficCounters
    budgets: Budgets
    memory: BodyMemory
    left: ClientsThatLeft
    captured: list[CapturedExchange] = field(default_factory=list)
    now: float = 1.0  # the time of the last event; each comes a second after the one before
    clock: float = 0.0  # the time by which copies pause

    def request(
        self,
        cluster: str = "cloud",
        request_id: str = "id-1",
        own_id: str = "",
        path: str = f"{CHAT}?key=SECRET&lang=de&v=1",
        body: bytes = b"question",
        started_ns: int = 1,
        **headers: str,
    ) -> CapturedExchange:
        """Pass a complete request to a new exchange.

        ``own_id``: the id that Envoy gives to the exchange. ``started_ns``: when Envoy received the request.
        """
        exchange = Exchange(1000, self.memory)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        event = RequestHeaders(
            {":method": "POST", ":path": path, "x-request-id": request_id, **named},
            cluster,
        )
        exchange.feed(event, self.now)
        captured = self.capturer.begin(self.workload, exchange, own_id, started_ns=started_ns)
        self.feed(captured, Chunk(Half.REQUEST, body, True))
        return captured

    def feed(self, captured: CapturedExchange, *events: Event) -> None:
        for event in events:
            self.now += 1.0
            self.capturer.advance(captured, captured.exchange.feed(event, self.now))

    async def settled(self) -> None:
        await eventually(lambda: not self.capturer.running)
        assert self.memory.held == self.sender.memory.held == 0

    @property
    def coverage(self) -> dict[str, int]:
        return {reason: number for (_, reason), number in self.counters.coverage_totals.items()}


@asynccontextmanager
async def setup(
    shadow: str = "{}",
    sender: TwinSender | None = None,
    sink: InMemorySink | None = None,
    fallback: str = "true",
    traces: CopyTracer = NO_TRACES,
) -> AsyncIterator[CaptureSetup]:
    settings = capture_config(shadow, f"    fallback: {fallback}")
    counters, sink, sender, budgets = (
        TrafficCounters(),
        sink or InMemorySink(),
        sender or TwinSender(),
        Budgets(settings),
    )
    async with asyncio.TaskGroup() as tasks:
        checker = AnswerChecker(counters, 10**6, wall=lambda: 1_000.0)
        left = ClientsThatLeft(counters.record)
        capturer = Capturer(
            *(counters, budgets, sender, sink, tasks, checker, traces, left),
            wall=lambda: 1_000.0,
            clock=lambda: made.clock,
        )
        made = CaptureSetup(
            build_workloads(settings)["chat"], capturer, sender, sink, counters, budgets, BodyMemory(10**6), left
        )
        yield made
        sender.gate.set()
        checker.close()
