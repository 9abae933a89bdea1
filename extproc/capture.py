"""From exchanges to pairs: begins the tee when a request is complete, and joins both answers when they are there."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from extproc.copy_budget import Budgets
from extproc.copy_plan import Order, plan, without_secrets
from extproc.counters import Ledger
from extproc.error_log import Faults
from extproc.exchange import Exchange, Signal
from extproc.tee import Copy, InFlight, Sender, TeeAnswer
from extproc.token_usage import tokens
from extproc.workloads import Lane
from extproc.write_buffer import RawPair, Sink
from glidepath.domain import Answer, Coverage, Ending, Origin, Pair, PairKind

MAX_ID = 128
BUSY = (408, 429)  # statuses below 500 that say something of the backend, not of the request


@dataclass(slots=True)
class _Copying:
    """A copy under way: what must be given back when its task ends, however it ends."""

    order: Order
    sending: bool = True
    answered: TeeAnswer | None = None


@dataclass(slots=True)
class Captured:
    """An exchange of one of our workloads, and the copies of it that are under way."""

    lane: Lane
    exchange: Exchange
    id: str
    captured_at_ms: int
    copies: list[asyncio.Task[None]] = field(default_factory=list)
    orders: tuple[Order, ...] = ()
    reason: Coverage | None = Coverage.NOT_TEED  # why no CROSS copy was sent
    over: asyncio.Event | None = None  # set when the exchange has ended; there once a copy waits for it
    holders: int = 1  # the stream, and every copy


class Capturer:
    """One for a process. Its methods are called from the read loop: none of them waits."""

    def __init__(
        self,
        ledger: Ledger,
        budgets: Budgets,
        sender: Sender,
        sink: Sink,
        tasks: asyncio.TaskGroup,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.ledger, self.budgets, self.sink = ledger, budgets, sink
        self.in_flight = InFlight()
        self._sender, self._tasks, self._wall = sender, tasks, wall
        self._faults = Faults()
        self.running: set[asyncio.Task[None]] = set()

    def begin(self, lane: Lane, exchange: Exchange) -> Captured:
        """After the headers: the exchange is ours."""
        sent = exchange.request.headers.get("x-request-id", "") if exchange.request else ""
        self.ledger.count(lane.name, Coverage.CAPTURED)
        request_id = sent if 0 < len(sent) <= MAX_ID and sent.isprintable() else str(uuid.uuid4())
        return Captured(lane, exchange, request_id, int(self._wall() * 1000))

    def advance(self, captured: Captured, signal: Signal) -> None:
        """After an event that meant something."""
        if signal is Signal.REQUEST_COMPLETE:
            self._tee(captured)
        elif signal is Signal.FINISHED:
            self._finish(captured)

    def _tee(self, captured: Captured) -> None:
        orders, captured.reason = plan(captured.lane, captured.exchange, captured.id)
        accepted = tuple(order for order in orders if self._accept(captured, order))
        captured.orders = accepted
        for order in accepted:
            captured.holders += 1
            captured.over = captured.over or asyncio.Event()
            copying = _Copying(order)
            task = self._tasks.create_task(self._compare(captured, copying, captured.over))
            captured.copies.append(task)
            self.running.add(task)
            # Not `finally` in the task: one that is cancelled before its first step never gets there.
            task.add_done_callback(partial(self._ended, captured, copying))

    def _accept(self, captured: Captured, order: Order) -> bool:
        lane = captured.lane
        if not self.in_flight.enter(lane.name, lane.workload.shadow.max_in_flight):
            refusal = Coverage.SHED_IN_FLIGHT
        elif not self.budgets.allow(lane.name, order.backend, self._wall()):
            self.in_flight.leave(lane.name)
            refusal = Coverage.SHED_BUDGET
        else:
            return True
        if order.kind is PairKind.CROSS:
            captured.reason = refusal
        else:
            self.ledger.count(lane.name, refusal, order.kind)
        return False

    def _finish(self, captured: Captured) -> None:
        """The client's answer is over: whole, or for no comparison."""
        if captured.over is not None:
            captured.over.set()
        reason = incomparable(captured.lane, captured.exchange)
        copied = any(order.kind is PairKind.CROSS for order in captured.orders)
        if reason is not None:
            for task in captured.copies:
                task.cancel()
        if reason is Coverage.ABORTED or (reason is not None and copied):
            self.ledger.count(captured.lane.name, reason)
        elif not copied:
            self.ledger.count(captured.lane.name, captured.reason or Coverage.NOT_TEED)
        self._let_go(captured)

    def _let_go(self, captured: Captured) -> None:
        captured.holders -= 1
        if captured.holders == 0:
            captured.exchange.release()

    async def _compare(self, captured: Captured, copying: _Copying, over: asyncio.Event) -> None:
        """One copy's life, and the boundary of one pair: a fault that it meets must not end the worker."""
        try:
            await self._join(captured, copying, over)
        except Exception as error:
            self._faults.note(error, captured.lane.name, captured.id)
            self._stop_sending(captured, copying)
            await over.wait()
            if incomparable(captured.lane, captured.exchange) is None:
                self.ledger.count(captured.lane.name, Coverage.SET_ASIDE, copying.order.kind)

    async def _join(self, captured: Captured, copying: _Copying, over: asyncio.Event) -> None:
        """Send, wait for the client's answer to end, hand the pair over."""
        order = copying.order
        answered = copying.answered = await self._sender.send(_copy(captured, order))
        self._stop_sending(captured, copying)
        self._charge(captured, order, answered)
        await over.wait()
        if incomparable(captured.lane, captured.exchange) is None:
            self._hand_over(captured, order, answered)

    def _stop_sending(self, captured: Captured, copying: _Copying) -> None:
        if copying.sending:
            copying.sending = False
            self.in_flight.leave(captured.lane.name)

    def _ended(self, captured: Captured, copying: _Copying, task: asyncio.Task[None]) -> None:
        self.running.discard(task)
        self._stop_sending(captured, copying)
        if copying.answered is not None:
            copying.answered.held.release()
        # Cancelled though both answers could be compared, or might have become so: we are being stopped.
        exchange = captured.exchange
        if task.cancelled() and (exchange.ending is None or incomparable(captured.lane, exchange) is None):
            self.ledger.count(captured.lane.name, Coverage.LOST_SHUTDOWN, copying.order.kind)
        self._let_go(captured)

    def _charge(self, captured: Captured, order: Order, answered: TeeAnswer) -> None:
        used = tokens(captured.exchange.request_body.value(), answered.answer.body)
        self.budgets.charge(captured.lane.name, order.backend, *used, self._wall())

    def _hand_over(self, captured: Captured, order: Order, answered: TeeAnswer) -> None:
        first, second = captured.exchange.status, answered.answer.status
        if answered.answer.ending is not Ending.COMPLETE or is_failure(second):
            self.ledger.count(captured.lane.name, Coverage.TEE_FAILED, order.kind)
            return
        if order.kind is PairKind.CROSS:
            self._blame(captured, order, first, second)
        if first < 400:
            self.sink.put_pair(raw_pair(captured, order, answered))
        else:
            self.ledger.count(captured.lane.name, Coverage.UNCOMPARABLE, order.kind)

    def _blame(self, captured: Captured, order: Order, first: int, second: int) -> None:
        """A request that one side refuses as wrong and the other answers was not wrong: the refusal is an error.

        The access log alone cannot tell: there a 4xx is the client's fault.
        """
        if (first >= 400) == (second >= 400):
            return
        side, origin = (order.side.other, Origin.LIVE) if first >= 400 else (order.side, Origin.SHADOW)
        kind = f"rejected_{max(first, second)}"
        self.ledger.blame(captured.lane.name, side, origin, kind, int(self._wall() * 1000))


def is_failure(status: int) -> bool:
    """The backend failed, whatever the request was."""
    return not 200 <= status < 500 or status in BUSY


def failed_over(lane: Lane, exchange: Exchange) -> bool:
    """The candidate was chosen and failed, the baseline answered. A plain retry of one backend is none."""
    return exchange.retried and exchange.request is not None and exchange.request.cluster == lane.composite


def incomparable(lane: Lane, exchange: Exchange) -> Coverage | None:
    """Why no copy can tell anything about the client's answer; None when one can.

    A failure says nothing about quality: the access log has counted it. After a failover the baseline answered, and
    baseline against baseline must not pass for agreement of the candidate.
    """
    if exchange.ending is Ending.ABORTED or exchange.ending is None:
        return Coverage.ABORTED
    if exchange.ending is Ending.LOCAL or is_failure(exchange.status) or failed_over(lane, exchange):
        return Coverage.UNCOMPARABLE
    return None


def _copy(captured: Captured, order: Order) -> Copy:
    exchange = captured.exchange
    headers = dict(exchange.request.headers) if exchange.request else {}
    headers["x-request-id"] = captured.id
    return Copy(
        workload=captured.lane.name,
        side=order.side,
        backend=order.backend,
        path=without_secrets(headers.get(":path", "/")),
        headers=headers,
        body=exchange.request_body.value(),
        timeout_s=captured.lane.workload.shadow.timeout,
    )


def raw_pair(captured: Captured, order: Order, answered: TeeAnswer) -> RawPair:
    """The pair as it came off the wire, still in its content codings."""
    exchange, lane = captured.exchange, captured.lane
    request, response = exchange.request, exchange.response
    if request is None or response is None:  # pragma: no cover - a COMPLETE exchange has both
        raise AssertionError("a pair needs a request and an answer")
    served = lane.clusters[request.cluster]
    first = Answer(
        side=served,
        origin=Origin.LIVE,
        backend=lane.backend(served),
        status=response.status,
        content_type=response.headers.get("content-type", "")[:256],
        body=exchange.response_body.value(),
        body_cut=exchange.response_body.cut,
        ending=Ending.COMPLETE,
        first_byte_ms=exchange.first_byte_ms,
        total_ms=exchange.total_ms,
    )
    pair = Pair(
        # The scorer counts a pair id once: the noise floor's pair of the same request is another one.
        id=captured.id if order.kind is PairKind.CROSS else f"{captured.id}~noise",
        workload=lane.name,
        kind=order.kind,
        captured_at_ms=captured.captured_at_ms,
        method=request.headers.get(":method", ""),
        path=without_secrets(request.headers.get(":path", "")),
        request_body=exchange.request_body.value(),
        first=first,
        second=answered.answer,
        request_cut=exchange.request_body.cut,
        request_content_type=request.headers.get("content-type", "")[:256],
        sticky=lane.sticky(request.headers.get(lane.sticky_header, "")) if lane.sticky_header else "",
        config_digest=lane.digest,
    )
    return RawPair(
        pair,
        request.headers.get("content-encoding", ""),
        response.headers.get("content-encoding", ""),
        answered.encoding,
    )
