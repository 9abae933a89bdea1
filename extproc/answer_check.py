"""Check every captured answer by itself, and report those that failed although their status says success.

The check never delays a client or a copy. Small bodies are checked at once. Large and encoded bodies are checked in a
thread of its own, at most ``MAX_WAITING`` at a time; what is above that is counted as unchecked.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import structlog

from extproc.content_coding import decode
from extproc.extproc_errors import DecodeError
from extproc.refusal_matching import RefusedRequest, Rejection
from extproc.traffic_counters import TrafficCounters
from glidepath.answer_faults import FoundFault
from glidepath.failed_answers import failed_answer

AT_ONCE = 32 * 1024  # bytes of the largest body that is checked in the event loop, in about 0.2 ms
MAX_WAITING = 32
LOG_EVERY_S = 10.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CheckedAnswer:
    """What the check reads of an answer. ``encoding`` is the content encoding of ``body``."""

    status: int
    content_type: str
    body: bytes
    cut: bool = False
    encoding: str = ""


Judge = Callable[[CheckedAnswer, int], FoundFault | None]


class AnswerChecker:
    """Reports failed answers to ``counters``. The methods never wait and never raise an error.

    ``limit``: the most bytes of a decoded body. ``judge``: what tells why an answer failed, given this limit.
    """

    def __init__(
        self, counters: TrafficCounters, limit: int, wall: Callable[[], float] = time.time, judge: Judge | None = None
    ) -> None:
        self._counters, self._limit, self._wall, self._judge = counters, limit, wall, judge or find_fault
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="check")
        self._logged: dict[tuple[str, ...], float] = {}  # by workload, side and kind
        self.waiting = 0
        self.totals: Counter[tuple[str, ...]] = Counter()  # workload, side, origin, result: good, failed, unchecked

    def check(self, request: RefusedRequest, answer: CheckedAnswer) -> None:
        if not answer.encoding and len(answer.body) <= AT_ONCE:
            self._run_at_once(request, answer)
        elif self.waiting >= MAX_WAITING:
            self._count(request, "unchecked")
        else:
            self.waiting += 1
            running = asyncio.get_running_loop().run_in_executor(self._thread, self._judge, answer, self._limit)
            running.add_done_callback(partial(self._checked_in_thread, request))

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _run_at_once(self, request: RefusedRequest, answer: CheckedAnswer) -> None:
        try:
            fault = self._judge(answer, self._limit)
        except Exception as error:
            self._give_up(request, error)
        else:
            self._report(request, fault)

    def _checked_in_thread(self, request: RefusedRequest, running: asyncio.Future[FoundFault | None]) -> None:
        self.waiting -= 1
        if running.cancelled():
            return
        error = running.exception()
        if error is None:
            self._report(request, running.result())
        else:
            self._give_up(request, error)

    def _give_up(self, request: RefusedRequest, error: BaseException) -> None:
        """Count an answer that an unexpected error left unchecked."""
        self._count(request, "unchecked")
        if self._may_log(request.workload, "", type(error).__name__):
            # Only the type of the error: its message may quote the body.
            _log.error("answer_not_checked", workload=request.workload, error=type(error).__name__)

    def _report(self, request: RefusedRequest, fault: FoundFault | None) -> None:
        self._count(request, "failed" if fault else "good")
        if fault is None:
            return
        kind, side = fault.kind.value, request.side.value
        self._counters.count_rejection(Rejection(request, kind, int(self._wall() * 1000)))
        if self._may_log(request.workload, side, kind):
            origin = request.origin.value
            _log.warning(
                "answer_failed", workload=request.workload, side=side, origin=origin, kind=kind, request=request.id
            )

    def _count(self, request: RefusedRequest, result: str) -> None:
        self.totals[(request.workload, request.side.value, request.origin.value, result)] += 1
        if result != "unchecked":
            self._counters.count_checked(request.workload, request.side, request.origin)

    def _may_log(self, *key: str) -> bool:
        now = self._wall()
        if 0 <= now - self._logged.get(key, -LOG_EVERY_S) < LOG_EVERY_S:
            return False
        self._logged[key] = now
        return True


def find_fault(answer: CheckedAnswer, limit: int) -> FoundFault | None:
    """Return why the answer failed, or None. A body whose content encoding cannot be decoded is not judged."""
    body, cut = answer.body, answer.cut
    if answer.encoding and body:
        try:
            decoded = decode(body, answer.encoding, limit)
        except DecodeError:
            return None
        body, cut = decoded.data, cut or decoded.cut
    return failed_answer(answer.status, answer.content_type, body, cut=cut)
