"""Deliver decisions to one destination, from a bounded queue and with retries, without delaying the steer loop.

A decision that cannot be queued is dropped and counted. A decision that cannot be delivered is dropped, counted and
logged. The complete record is the log in Redis.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable

import aiohttp
import structlog
from prometheus_client import Counter

from glidepath.status_and_decisions import Decision

QUEUE = 1000  # the largest number of queued decisions
ATTEMPTS = 5
FIRST_PAUSE_S = 0.5  # doubled after each attempt
TIMEOUT_S = 5.0
DRAIN_S = 3.0  # the time to deliver the queued decisions at the end of the process

Send = Callable[[aiohttp.ClientSession, Decision], Awaitable[None]]
Wants = Callable[[Decision], bool]

log = structlog.get_logger()


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


class DeliveryQueue:
    """A queue of the decisions for one destination. ``wants`` selects the decisions to deliver.

    ``send`` delivers one decision. It raises aiohttp.ClientError, OSError or TimeoutError if a retry may help, and
    RefusedError if a retry would not help.
    """

    def __init__(self, kind: str, send: Send, dropped: Counter, wants: Wants = lambda _: True) -> None:
        self.kind = kind
        self._send, self.wants, self._dropped = send, wants, dropped.labels(kind)
        self._queue: asyncio.Queue[Decision] = asyncio.Queue(QUEUE)

    def announce(self, decision: Decision) -> None:
        if not self.wants(decision):
            return
        try:
            self._queue.put_nowait(decision)
        except asyncio.QueueFull:
            self._dropped.inc()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver decisions until ``stop`` is set. Then spend at most DRAIN_S seconds on the decisions in the queue."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session, asyncio.TaskGroup() as group:
            delivering = group.create_task(self._deliver_all(session))
            await stop.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_S):
                    await self._queue.join()
            delivering.cancel()

    async def _deliver_all(self, session: aiohttp.ClientSession) -> None:
        while True:
            decision = await self._queue.get()
            try:
                await self._deliver(session, decision)
            finally:
                self._queue.task_done()

    async def _deliver(self, session: aiohttp.ClientSession, decision: Decision) -> None:
        for attempt in range(ATTEMPTS):
            try:
                await self._send(session, decision)
            except RefusedError as error:
                reason = str(error)
                break
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                reason = reason_of(error)
            else:
                return
            if attempt + 1 < ATTEMPTS:
                await asyncio.sleep(FIRST_PAUSE_S * 2**attempt)
        self._dropped.inc()
        log.warning(
            "notification_dropped", to=self.kind, decision=decision.event, workload=decision.workload, reason=reason
        )
