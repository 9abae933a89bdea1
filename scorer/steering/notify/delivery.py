"""Deliver decisions to one destination, from a bounded queue and with retries, without delaying the steer loop.

A decision that cannot be queued is dropped and counted. While the destination cannot be reached, the decisions wait, in
the order of their times, each for at most KEEP_S. A decision that is not delivered is dropped, counted and logged. The
complete record is the log in Redis. Decisions that wait when the process ends are left to the next leader, if the log
has them (scorer/steering/leader/continue_deliveries.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp
from prometheus_client import Counter

from glidepath.logs import get_logger
from glidepath.redisio import being_cancelled, raise_if_cancelled
from glidepath.status_and_decisions import Decision, to_json
from glidepath.timed_wait import wait_until_set
from scorer.steering.notify.delivered_record import Record, id_of

QUEUE = 1000  # the largest number of queued decisions
KEEP_S = 3600.0  # the delivery of a decision is retried for this long
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0  # between two attempts; doubled after each
LOGGED_AFTER = 5  # failed attempts after which a log line says that decisions wait
TIMEOUT_S = 5.0
DRAIN_S = 3.0  # the time to deliver the queued decisions at the end of the process

Send = Callable[[aiohttp.ClientSession, Decision], Awaitable[None]]
Wants = Callable[[Decision], bool]

log = get_logger()


class RefusedError(Exception):
    """The destination refused the decision, and a retry would not help."""


def reason_of(error: Exception) -> str:
    """Return an error as text without the webhook's address. The address is secret, and most aiohttp errors show it."""
    if isinstance(error, aiohttp.ClientResponseError):
        return f"answered {error.status}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect: {error.os_error.strerror or type(error.os_error).__name__}"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return type(error).__name__


def check_answer(response: aiohttp.ClientResponse) -> None:
    """Raise ClientResponseError for an error that may be temporary, such as a 503, and RefusedError for any other."""
    if response.status == 429 or response.status >= 500:
        response.raise_for_status()
    if response.status >= 300:
        raise RefusedError(f"answered {response.status}")


@dataclass(frozen=True, order=True, slots=True)
class _Waiting:
    """A decision in a queue. Decisions are sorted by time. ``until``: the monotonic time at which its retries end."""

    at_ms: int
    number: int
    id: str = field(compare=False)
    decision: Decision = field(compare=False)
    until: float = field(compare=False)


class DeliveryQueue:
    """A queue of the decisions for one destination. ``wants`` selects the decisions to deliver.

    ``send`` delivers one decision. It raises aiohttp.ClientError, OSError or TimeoutError if a retry may help, and
    RefusedError if a retry would not help. ``destination``: a name that is the same in all scorers with this
    destination. ``record``: the record of the decisions that are done, or None.
    """

    def __init__(
        self, kind: str, send: Send, dropped: Counter, wants: Wants = lambda _: True, *, destination: str = ""
    ) -> None:
        self.kind, self.destination = kind, destination or kind
        self.record: Record | None = None
        self._send, self.wants, self._dropped = send, wants, dropped.labels(kind)
        self._queue: asyncio.PriorityQueue[_Waiting] = asyncio.PriorityQueue(QUEUE)
        self._numbers = itertools.count()
        self._known: dict[str, None] = {}  # the ids of the latest decisions; the oldest are forgotten
        self._current: _Waiting | None = None

    def announce(self, decision: Decision) -> None:
        if self.wants(decision):
            self._put(decision, id_of(to_json(decision)), KEEP_S)

    def continue_with(self, decision: Decision, decision_id: str, keep_s: float) -> None:
        """Queue a decision of a former leader for ``keep_s`` seconds, unless this process has queued it already."""
        if self.wants(decision) and decision_id not in self._known:
            self._put(decision, decision_id, keep_s)

    def _put(self, decision: Decision, decision_id: str, keep_s: float) -> None:
        until = time.monotonic() + keep_s
        try:
            self._queue.put_nowait(_Waiting(decision.at_ms, next(self._numbers), decision_id, decision, until))
        except asyncio.QueueFull:
            self._dropped.inc()
            return
        self._known[decision_id] = None
        if len(self._known) > 2 * QUEUE:
            del self._known[next(iter(self._known))]

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver decisions until ``stop`` is set. Then spend at most DRAIN_S seconds on the decisions in the queue."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session, asyncio.TaskGroup() as group:
            delivering = group.create_task(self._deliver_all(session, stop))
            await stop.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_S):
                    await self._queue.join()
            delivering.cancel()
        self._leave_the_rest()

    async def _deliver_all(self, session: aiohttp.ClientSession, stop: asyncio.Event) -> None:
        while not being_cancelled():
            self._current = one = await self._queue.get()
            await self._deliver(session, one, stop)
            if self.record is not None:
                await self.record.add(one.id)
            self._current = None
            self._queue.task_done()

    async def _deliver(self, session: aiohttp.ClientSession, one: _Waiting, stop: asyncio.Event) -> None:
        decision, failed, pause_s = one.decision, 0, FIRST_PAUSE_S
        while True:
            if failed and self.record is not None and await self.record.has(one.id):
                return None  # another scorer, which leads now, has delivered it
            raise_if_cancelled()
            try:
                await self._send(session, decision)
            except RefusedError as error:
                return self._drop(decision, str(error))
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                reason = reason_of(error)
            else:
                return None
            failed += 1
            if time.monotonic() >= one.until:
                return self._drop(decision, reason)
            if failed == LOGGED_AFTER:
                about = {"to": self.kind, "decision": decision.event, "workload": decision.workload}
                log.warning("notification_delayed", **about, reason=reason, effect="will be retried")
            await (asyncio.sleep(FIRST_PAUSE_S) if stop.is_set() else wait_until_set(stop, pause_s))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _leave_the_rest(self) -> None:
        left = [self._current] if self._current is not None else []
        while not self._queue.empty():
            left.append(self._queue.get_nowait())
        for one in left:
            if self.record is None or not one.decision.is_in_log:
                self._drop(one.decision, "this process ended before it was delivered")
            else:
                about = {"to": self.kind, "decision": one.decision.event, "workload": one.decision.workload}
                log.warning("notification_postponed", **about, effect="the next leader delivers it")

    def _drop(self, decision: Decision, reason: str) -> None:
        self._dropped.inc()
        log.warning(
            "notification_dropped", to=self.kind, decision=decision.event, workload=decision.workload, reason=reason
        )
