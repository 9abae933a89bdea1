"""Checks each captured answer by itself: counts its tokens, and reports it if it failed with a success status.

The check never delays a client or a copy. Small bodies are checked in the event loop, in groups (ADR 0435). Large and
encoded bodies are checked in a separate thread. At most ``MAX_WAITING`` answers wait for this thread; further answers
are counted as unchecked.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from extproc.content_coding import decode
from extproc.errors_missing_in_access_log import RefusedRequest, Rejection
from extproc.extproc_errors import DecodeError
from extproc.token_counting import TokenCounters
from extproc.traffic_counters import TrafficCounters
from glidepath.answer_faults import FoundFault
from glidepath.failed_answers import failed_answer
from glidepath.logs import get_logger
from glidepath.read_token_usage import estimated_usage, read_usage
from glidepath.token_usage import TokenUsage

AT_ONCE = 32 * 1024  # bytes of the largest body that is checked in the event loop, in about 0.2 ms
TOGETHER, TOGETHER_BYTES = 16, 64 * 1024  # a group of small answers is checked when it has this many answers or bytes
SOON_S = 0.02  # the longest time in seconds until a small answer is checked
MAX_WAITING = 32
LOG_EVERY_S = 10.0

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CheckedAnswer:
    """An answer to be checked.

    ``encoding``: the content encoding of ``body``.
    ``request_bytes``: the length of the request's body.
    ``request``: the request's body if its tokens must be counted, else empty.
    ``known_api``: see ``failed_answer``.
    """

    status: int
    content_type: str
    body: bytes
    cut: bool = False
    encoding: str = ""
    request_bytes: int = 0
    request: bytes = b""
    known_api: bool = True


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of the check of one answer.

    ``fault``: why the answer failed, or None.
    ``usage``: the tokens of the answer; None if it has none, or if their number is unknown.
    """

    fault: FoundFault | None
    usage: TokenUsage | None


Judge = Callable[[CheckedAnswer, int], FoundFault | None]


class AnswerChecker:
    """Checks answers and reports the failed ones to ``counters``. The methods never wait and never raise an error.

    ``limit``: the maximum length of a decoded body in bytes.
    ``judge``: the function that returns why an answer failed, given this limit.
    ``tokens``: the tokenizers of the backends that have one.
    ``soon_s``: the maximum time in seconds that a small answer waits so that others can be checked together with it.
    """

    def __init__(
        self,
        counters: TrafficCounters,
        limit: int,
        wall: Callable[[], float] = time.time,
        judge: Judge | None = None,
        tokens: TokenCounters | None = None,
        soon_s: float = 0.0,
    ) -> None:
        self.tokens = tokens if tokens is not None else TokenCounters({})
        self._counters, self._limit, self._wall, self._judge = counters, limit, wall, judge or _find_fault
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="check")
        self._logged: dict[tuple[str, ...], float] = {}  # by workload, side and kind
        self._soon_s = soon_s
        self._small: list[tuple[RefusedRequest, CheckedAnswer]] = []
        self._small_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self.waiting = 0
        self.totals: Counter[tuple[str, ...]] = Counter()  # workload, side, origin, result: good, failed, unchecked

    def check(self, request: RefusedRequest, answer: CheckedAnswer) -> None:
        small = not answer.encoding and len(answer.body) <= AT_ONCE
        if small and not self._must_count(request, answer):
            self._check_soon(request, answer)
        elif self.waiting >= MAX_WAITING:
            self._count(request, "unchecked")
        else:
            self.waiting += 1
            running = asyncio.get_running_loop().run_in_executor(self._thread, self._examine, request, answer)
            running.add_done_callback(partial(self._checked_in_thread, request))

    def check_small(self) -> None:
        """Check all small answers that wait."""
        small, self._small, self._small_bytes = self._small, [], 0
        for request, answer in small:
            self._run_at_once(request, answer)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _check_soon(self, request: RefusedRequest, answer: CheckedAnswer) -> None:
        """Check a small answer together with the next ones, which is faster: the code stays in the CPU's cache."""
        self._small.append((request, answer))
        self._small_bytes += len(answer.body) + len(answer.request)
        if not self._soon_s or len(self._small) >= TOGETHER or self._small_bytes >= TOGETHER_BYTES:
            self.check_small()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._soon_s, self._time_is_over)

    def _time_is_over(self) -> None:
        self._timer = None
        self.check_small()

    def _run_at_once(self, request: RefusedRequest, answer: CheckedAnswer) -> None:
        try:
            result = self._examine(request, answer)
        except Exception as error:
            self._give_up(request, error)
        else:
            self._report(request, result)

    def _must_count(self, request: RefusedRequest, answer: CheckedAnswer) -> bool:
        """Return whether a tokenizer must count the tokens of a small answer, which is too slow for the event loop."""
        return self.tokens.knows(request.workload, request.side) and read_usage(answer.body) is None

    def _examine(self, request: RefusedRequest, answer: CheckedAnswer) -> CheckResult:
        """Return the fault and the tokens of an answer: both None if its content encoding cannot be decoded.

        This method also runs in the thread, so it changes no attribute.
        """
        plain = decoded(answer, self._limit)
        if plain is None:
            return CheckResult(None, None)
        fault = self._judge(plain, self._limit)
        if plain.cut or not 200 <= plain.status < 300:
            return CheckResult(fault, None)
        usage = read_usage(plain.body)
        if usage is None and fault is None:
            counted = self.tokens.count(request.workload, request.side, plain.request, plain.body)
            usage = counted or estimated_usage(plain.request_bytes, plain.body)
        return CheckResult(fault, usage)

    def _checked_in_thread(self, request: RefusedRequest, running: asyncio.Future[CheckResult]) -> None:
        self.waiting -= 1
        if running.cancelled():
            return
        error = running.exception()
        if error is None:
            self._report(request, running.result())
        else:
            self._give_up(request, error)

    def _give_up(self, request: RefusedRequest, error: BaseException) -> None:
        self._count(request, "unchecked")
        if self._may_log(request.workload, "", type(error).__name__):
            # Log only the type of the error, because its message may quote the body.
            _log.error("answer_not_checked", workload=request.workload, error=type(error).__name__)

    def _report(self, request: RefusedRequest, result: CheckResult) -> None:
        fault = result.fault
        if result.usage is not None:
            self._counters.count_usage(request.workload, request.side, request.origin, result.usage)
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
        self.totals[(request.workload, request.side, request.origin, result)] += 1
        if result != "unchecked":
            self._counters.count_checked(request.workload, request.side, request.origin)

    def _may_log(self, *key: str) -> bool:
        now = self._wall()
        if 0 <= now - self._logged.get(key, -LOG_EVERY_S) < LOG_EVERY_S:
            return False
        self._logged[key] = now
        return True


def decoded(answer: CheckedAnswer, limit: int) -> CheckedAnswer | None:
    """Return the answer without its content encoding, or None if it cannot be decoded."""
    if not answer.encoding or not answer.body:
        return answer
    try:
        plain = decode(answer.body, answer.encoding, limit)
    except DecodeError:
        return None
    return replace(answer, body=plain.data, cut=answer.cut or plain.cut, encoding="")


def _find_fault(answer: CheckedAnswer, _: int) -> FoundFault | None:
    known_api = answer.known_api
    return failed_answer(answer.status, answer.content_type, answer.body, cut=answer.cut, known_api=known_api)
