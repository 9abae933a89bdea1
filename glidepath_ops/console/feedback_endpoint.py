"""``POST /feedback``: users' feedback on individual answers, sent by the application, which has the request ids.

Three limits protect the console: the size of the body, ``console.feedback_rate``, and the number of calls that wait. A
call waits if extproc has not yet stored the request that the feedback is about. See docs/reference/feedback.md.
"""

from __future__ import annotations

import asyncio
import math
import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from glidepath.clock import unix_ms
from glidepath.errors import GlidepathError
from glidepath.feedback import FeedbackMatch, GivenFeedback, parse_feedback
from glidepath.feedback_intake import LATER_S, feedback_stores, store_of
from glidepath_ops.console.access import Visitor
from glidepath_ops.console.authorized_endpoints import receiving_feedback
from glidepath_ops.console.json_request_body import json_body
from glidepath_ops.console.running_console import Console
from glidepath_ops.redact_feedback_labels import LabelRedactor

MOST_WAITING = 200  # requests that wait for extproc at once
# Feedback that is matched in Redis at once; more waits for its turn. The client of Redis refuses the 101st connection,
# which a burst of feedback would otherwise take from the pages of people.
MOST_MATCHING = 32


class RateLimit:
    """A token bucket: at most ``rate`` per second. It holds the tokens of one second, but at least one."""

    def __init__(self, rate: float, now_s: float) -> None:
        self._rate, self._most = rate, max(rate, 1.0)
        self._left, self._at_s = self._most, now_s

    def wait_s(self, now_s: float) -> float:
        """Take a token and return 0. If there is none, return the seconds until there is one."""
        self._left = min(self._most, self._left + (now_s - self._at_s) * self._rate)
        self._at_s = now_s
        if self._left < 1:
            return (1 - self._left) / self._rate
        self._left -= 1
        return 0.0


def routes(console: Console) -> list[Route]:
    intake = _Intake(console)
    return [Route("/feedback", receiving_feedback(console, intake.receive), methods=["POST"])]


class _Intake:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._limit = RateLimit(console.config.console.feedback_rate, time.monotonic())
        self._redact = LabelRedactor(console.config.redaction)
        self._waiting = 0
        self._matching = asyncio.Semaphore(MOST_MATCHING)

    async def receive(self, request: Request, _: Visitor) -> Response:
        wait = self._limit.wait_s(time.monotonic())
        if wait:
            return self._refused(wait)
        try:
            given = parse_feedback(await json_body(request))
            match = await self._give(await asyncio.to_thread(self._redact, given))
        except GlidepathError:
            self._console.metrics.feedback.labels("invalid").inc()
            raise
        if match is None:
            return self._refused(LATER_S)
        self._console.metrics.feedback.labels(match.value).inc()
        if match is FeedbackMatch.UNKNOWN:
            text = (
                "request_id: no request with this id is remembered: it is not the x-request-id of a response, is older "
                "than feedback.window, or belongs to another workload"
            )
            return JSONResponse({"error": text, "result": match.value}, 404)
        return JSONResponse({"result": match.value})

    async def _give(self, given: GivenFeedback) -> FeedbackMatch | None:
        """Match the feedback. If its request is unknown, try again after the time that extproc needs to store it.

        Return None if too many requests are waiting for this already.
        """
        store = store_of(feedback_stores(self._console.config, self._console.redis), given.workload)
        async with self._matching:
            match = await store.give(given, unix_ms(), final=False)
        if match is not FeedbackMatch.UNKNOWN:
            return match
        if self._waiting >= MOST_WAITING:
            return None
        self._waiting += 1
        try:
            await asyncio.sleep(self._console.config.extproc.flush + LATER_S)
        finally:
            self._waiting -= 1
        async with self._matching:
            return await store.give(given, unix_ms())

    def _refused(self, wait_s: float) -> Response:
        self._console.metrics.feedback.labels("limited").inc()
        text = f"more feedback than {self._console.config.console.feedback_rate:g} a second (console.feedback_rate)"
        return JSONResponse({"error": text}, 429, headers={"retry-after": str(math.ceil(wait_s))})
