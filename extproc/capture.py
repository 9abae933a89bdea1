"""Captures pairs. A pair is the answer that the client got, and the answer to a copy of the same request.

Copies of a request are sent as soon as the request is complete. A pair is written as soon as both answers are complete.
See ADR 0020.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from extproc.answer_check import AnswerChecker, CheckedAnswer
from extproc.baseline_copy_failures import count_baselines_copy
from extproc.captured_exchange import CapturedExchange, failed_over, reason_not_comparable
from extproc.captured_pair import raw_pair
from extproc.clients_that_left import ClientsThatLeft
from extproc.copied_request import copied_request, copy_to_trace
from extproc.copy_budget import Budgets
from extproc.copy_cool_down import CoolDowns
from extproc.copy_plan import PlannedCopy, plan_copies
from extproc.copy_sender import InFlight, ShadowAnswer, ShadowSender
from extproc.errors_missing_in_access_log import RefusedRequest, Rejection
from extproc.exchange import Exchange
from extproc.exchange_events import Milestone
from extproc.opt_out import is_kept_out
from extproc.outcome_classification import RATE_LIMITED, error_of_status
from extproc.pair_ids import PairIds, usable_id
from extproc.traffic_counters import TrafficCounters
from extproc.unexpected_errors import UnexpectedErrors
from extproc.workloads import WorkloadInfo
from extproc.write_buffer import RecordSink
from glidepath.outcome_summaries import OTHER_REFUSALS, Coverage, kind_of_refusal
from glidepath.pairs import Ending, PairKind, is_failure
from glidepath.read_token_usage import token_usage
from glidepath.sides import Origin, Side
from glidepath.telemetry.signals import NO_TRACES, CopySpan, CopyTracer


@dataclass(slots=True)
class _RunningCopy:
    """A copy in flight, and the resources to release when the task that sends it ends."""

    planned: PlannedCopy
    sending: bool = True
    answered: ShadowAnswer | None = None
    span: CopySpan | None = None


class Capturer:
    """Captures the exchanges of one extproc process.

    The public methods never wait, because the gRPC read loop calls them.
    """

    def __init__(
        self,
        counters: TrafficCounters,
        budgets: Budgets,
        sender: ShadowSender,
        sink: RecordSink,
        tasks: asyncio.TaskGroup,
        checker: AnswerChecker,
        traces: CopyTracer = NO_TRACES,
        left: ClientsThatLeft | None = None,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counters, self.budgets, self.sink, self.checker = counters, budgets, sink, checker
        self._traces = traces
        self._left = left if left is not None else ClientsThatLeft(counters.record)
        self.in_flight, self.cool_downs = InFlight(), CoolDowns()
        self._sender, self._tasks, self._wall, self._clock = sender, tasks, wall, clock
        self._errors = UnexpectedErrors()
        self._ids = PairIds()
        self.running: set[asyncio.Task[None]] = set()

    def begin(
        self, workload: WorkloadInfo, exchange: Exchange, own_id: str = "", served: str = "", started_ns: int = 0
    ) -> CapturedExchange:
        """Start to capture an exchange whose route belongs to ``workload``.

        ``own_id``: the id that Envoy gave to the exchange, or "" if the exchange has the id of the request.
        ``served``: the served digest (glidepath/served_digest.py), or "" if it is unknown.
        ``started_ns``: when Envoy received the request, in Unix nanoseconds, or 0 if it is unknown.
        """
        headers = exchange.request.headers if exchange.request else {}
        logged_id = headers.get("x-request-id", "")
        sent = own_id or logged_id
        self.counters.count(workload.name, Coverage.CAPTURED)
        request_id = usable_id(sent)
        captured = CapturedExchange(
            workload,
            exchange,
            self._ids.unique(request_id),
            logged_id or request_id,
            int(self._wall() * 1000),
            served,
            started_ns,
        )
        captured.opted_out = is_kept_out(workload.settings.shadow.opt_out, headers)
        self._left.begin(captured)
        return captured

    def advance(self, captured: CapturedExchange, milestone: Milestone) -> None:
        """Send the copies as soon as they may be sent. If the exchange has ended, handle its end."""
        if not captured.planned and self._may_plan(captured, milestone):
            captured.planned = True
            self._tee(captured)
        if milestone is Milestone.FINISHED:
            self._finish(captured)

    def _may_plan(self, captured: CapturedExchange, milestone: Milestone) -> bool:
        """Return whether it is time to decide which copies to send.

        A copy to the candidate is sent with the complete request. A copy to the baseline waits until the candidate has
        begun to answer: if the candidate fails, Envoy itself asks the baseline, which must not get the request twice.
        """
        exchange = captured.exchange
        if captured.opted_out or not exchange.request_complete or milestone is Milestone.NONE:
            return False
        if milestone is Milestone.FINISHED and exchange.ending is Ending.ABORTED:
            return False
        served = captured.workload.clusters.get(exchange.request.cluster) if exchange.request else None
        return served is not Side.CANDIDATE or exchange.response is not None

    def _tee(self, captured: CapturedExchange) -> None:
        self._notice_a_rate_limit(captured)
        exchange, workload = captured.exchange, captured.workload
        if exchange.response is not None and (is_failure(exchange.status) or failed_over(workload, exchange)):
            captured.reason = Coverage.NOT_COMPARABLE
            return
        planned_copies, captured.reason = plan_copies(workload, exchange, captured.id)
        accepted = tuple(planned for planned in planned_copies if self._accept(captured, planned))
        captured.planned_copies = accepted
        captured.both_copied = {planned.side for planned in accepted} == set(Side)
        for planned in accepted:
            captured.references += 1
            captured.finished = captured.finished or asyncio.Event()
            running_copy = _RunningCopy(planned)
            task = self._tasks.create_task(self._compare(captured, running_copy, captured.finished))
            captured.copy_tasks.append(task)
            self.running.add(task)
            # A `finally` in the task is not enough: a task that is cancelled before its first step never reaches it.
            task.add_done_callback(partial(self._copy_ended, captured, running_copy))

    def _accept(self, captured: CapturedExchange, planned: PlannedCopy) -> bool:
        workload = captured.workload
        if not self.cool_downs.allows(planned.backend, self._clock()):
            refusal = Coverage.COOL_DOWN
        elif not self.in_flight.enter(workload.name, workload.settings.shadow.max_in_flight):
            refusal = Coverage.SHED_IN_FLIGHT
        elif not self.budgets.allow(workload.name, planned.backend, self._wall()):
            self.in_flight.leave(workload.name)
            refusal = Coverage.SHED_BUDGET
        else:
            return True
        if planned.kind is PairKind.CROSS:
            captured.reason = refusal
        else:
            self.counters.count(workload.name, refusal, planned.kind)
        return False

    def _finish(self, captured: CapturedExchange) -> None:
        """Handle the end of an exchange.

        If the client's answer cannot be compared, cancel the copies. If it is certain that no CROSS pair will be
        written, count the reason.
        """
        self._left.end(captured)
        if captured.opted_out:
            self.counters.count(captured.workload.name, Coverage.OPTED_OUT)
            self._drop_reference(captured)
            return
        self._check_client_answer(captured)
        self._notice_a_rate_limit(captured)
        if captured.finished is not None:
            captured.finished.set()
        reason = reason_not_comparable(captured.workload, captured.exchange)
        copied = any(planned.kind is PairKind.CROSS for planned in captured.planned_copies)
        if reason is not None and not (captured.both_copied and reason is Coverage.NOT_COMPARABLE):
            for task in captured.copy_tasks:
                task.cancel()
        lost = reason in (Coverage.ABORTED, Coverage.SHED_MEMORY) or captured.exchange.request_body.cut
        if lost or (reason is not None and copied):
            self.counters.count(captured.workload.name, reason or Coverage.CUT)
        elif not copied:
            self.counters.count(captured.workload.name, captured.reason or Coverage.NOT_TEED)
        self._drop_reference(captured)

    def _notice_a_rate_limit(self, captured: CapturedExchange) -> None:
        """Pause the copies to a side that answered a client's request with 429."""
        response, workload = captured.exchange.response, captured.workload
        if response is None or response.status != RATE_LIMITED or captured.exchange.request is None:
            return
        side = workload.clusters.get(captured.exchange.request.cluster)
        if side is None:
            return
        if failed_over(workload, captured.exchange):
            side = Side.BASELINE
        retry_after = response.headers.get("retry-after", "")
        self.cool_downs.rate_limited(workload.backend(side), retry_after, self._clock(), self._wall())

    def _check_client_answer(self, captured: CapturedExchange) -> None:
        """Check the answer to a POST by itself. Answers to other methods may be empty, so they are not checked."""
        workload, exchange = captured.workload, captured.exchange
        request, response = exchange.request, exchange.response
        if request is None or response is None or exchange.ending is not Ending.COMPLETE:
            return
        side = workload.clusters.get(request.cluster)
        if side is None or request.headers.get(":method") != "POST" or failed_over(workload, exchange):
            return
        headers, body = response.headers, exchange.response_body
        kind, encoding = headers.get("content-type", "")[:256], headers.get("content-encoding", "")
        asked = exchange.request_body
        known = asked.value() if self.checker.tokens.knows(workload.name, side) else b""
        known_api = workload.has_known_answers(request.headers.get(":path", ""))
        answer = CheckedAnswer(response.status, kind, body.value(), body.cut, encoding, asked.size, known, known_api)
        self.checker.check(RefusedRequest(workload.name, side, Origin.LIVE, captured.logged_id), answer)

    def _check_copys_answer(self, captured: CapturedExchange, planned: PlannedCopy, answered: ShadowAnswer) -> None:
        answer = answered.answer
        request = RefusedRequest(captured.workload.name, planned.side, Origin.SHADOW, captured.id)
        asked = captured.exchange.request_body
        known = asked.value() if self.checker.tokens.knows(captured.workload.name, planned.side) else b""
        asking = captured.exchange.request
        known_api = asking is None or captured.workload.has_known_answers(asking.headers.get(":path", ""))
        self.checker.check(
            request,
            CheckedAnswer(
                answer.status,
                answer.content_type,
                answer.body,
                answer.body_cut,
                answered.encoding,
                asked.size,
                known,
                known_api,
            ),
        )

    def _drop_reference(self, captured: CapturedExchange) -> None:
        captured.references -= 1
        if captured.references == 0:
            captured.exchange.release()

    async def _compare(self, captured: CapturedExchange, running_copy: _RunningCopy, finished: asyncio.Event) -> None:
        """Send one copy and write its pair. If an unexpected error occurs, only this pair is lost."""
        try:
            await self._join(captured, running_copy, finished)
        except Exception as error:
            self._errors.log(error, captured.workload.name, captured.id)
            self._stop_sending(captured, running_copy)
            await finished.wait()
            if reason_not_comparable(captured.workload, captured.exchange) is None:
                self.counters.count(captured.workload.name, Coverage.INTERNAL_ERROR, running_copy.planned.kind)

    async def _join(self, captured: CapturedExchange, running_copy: _RunningCopy, finished: asyncio.Event) -> None:
        """Send the copy, wait for the end of the client's answer, and write the pair if that answer can be compared."""
        planned = running_copy.planned
        span = running_copy.span = self._traces.begin(copy_to_trace(captured, planned))
        captured.traceparents[planned.kind] = span.traceparent
        answered = await self._sender.send(copied_request(captured, planned, span.headers))
        running_copy.answered = answered
        span.end(answered.answer)
        self._stop_sending(captured, running_copy)
        self._note_health(planned, answered)
        self._charge(captured, planned, answered)
        await finished.wait()
        reason = reason_not_comparable(captured.workload, captured.exchange)
        if reason is None:
            count_baselines_copy(self.counters, captured, planned, answered.answer)
            self._write_pair(captured, planned, answered)
        elif reason is Coverage.NOT_COMPARABLE:
            self._write_uncompared(captured, planned, answered)

    def _note_health(self, planned: PlannedCopy, answered: ShadowAnswer) -> None:
        answer = answered.answer
        if answer.status == RATE_LIMITED:
            self.cool_downs.rate_limited(planned.backend, answered.retry_after, self._clock(), self._wall())
        elif answer.ending is not Ending.COMPLETE or answer.status >= 500 or answer.status in OTHER_REFUSALS:
            self.cool_downs.failed(planned.backend)
        else:
            self.cool_downs.answered(planned.backend, self._clock())

    def _stop_sending(self, captured: CapturedExchange, running_copy: _RunningCopy) -> None:
        if running_copy.sending:
            running_copy.sending = False
            self.in_flight.leave(captured.workload.name)

    def _copy_ended(self, captured: CapturedExchange, running_copy: _RunningCopy, task: asyncio.Task[None]) -> None:
        self.running.discard(task)
        self._stop_sending(captured, running_copy)
        if running_copy.answered is not None:
            running_copy.answered.held.release()
        elif running_copy.span is not None:
            running_copy.span.end(None)
        # A task is also cancelled if the client's answer cannot be compared. Then the copy is not needed, and not lost.
        exchange = captured.exchange
        if task.cancelled() and (exchange.ending is None or reason_not_comparable(captured.workload, exchange) is None):
            self.counters.count(captured.workload.name, Coverage.LOST_SHUTDOWN, running_copy.planned.kind)
        self._drop_reference(captured)

    def _charge(self, captured: CapturedExchange, planned: PlannedCopy, answered: ShadowAnswer) -> None:
        workload = captured.workload.name
        if self.budgets.charges(workload, planned.backend):
            usage = token_usage(captured.exchange.request_body.size, answered.answer.body)
            self.budgets.charge(workload, planned.backend, usage, self._wall())

    def _write_pair(self, captured: CapturedExchange, planned: PlannedCopy, answered: ShadowAnswer) -> None:
        first, second = captured.exchange.status, answered.answer.status
        if answered.answer.ending is not Ending.COMPLETE or is_failure(second):
            self.counters.count(captured.workload.name, Coverage.TEE_FAILED, planned.kind)
            copied_to_candidate = planned.kind is PairKind.CROSS and planned.side is Side.CANDIDATE
            self._write_uncompared(captured, planned, answered, wanted=copied_to_candidate)
            return
        self._check_copys_answer(captured, planned, answered)
        if planned.kind is PairKind.CROSS:
            self._count_rejection_by_one_side(captured, planned, first, second)
        if answered.answer.body_cut:
            self.counters.count(captured.workload.name, Coverage.CUT, planned.kind)
        elif first < 400:
            self.sink.put_pair(raw_pair(captured, planned, answered))
        else:
            self.counters.count(captured.workload.name, Coverage.NOT_COMPARABLE, planned.kind)
            self._write_uncompared(captured, planned, answered)

    def _write_uncompared(
        self, captured: CapturedExchange, planned: PlannedCopy, answered: ShadowAnswer, *, wanted: bool = False
    ) -> None:
        """Write a pair whose answers cannot be compared, if the gates still need to know how its two requests ended.

        The gates need this if both sides got a copy, or if the candidate's copy failed and the client's request did not
        (``wanted``). Coverage has already counted why the answers cannot be compared.
        """
        if (wanted or captured.both_copied) and captured.exchange.response is not None and not answered.answer.body_cut:
            self.sink.put_pair(replace(raw_pair(captured, planned, answered), counted=False))

    def _count_rejection_by_one_side(
        self, captured: CapturedExchange, planned: PlannedCopy, first: int, second: int
    ) -> None:
        """Count an error of the side that rejected the request with a 4xx, if the other side accepted the request.

        ``first`` is the status that the client got, and ``second`` is the status of the copy. An access log entry shows
        only one of them, so by itself a 4xx counts as the client's fault (docs/adr/0021).
        """
        if (first >= 400) == (second >= 400):
            return
        side, origin = (planned.side.other, Origin.LIVE) if first >= 400 else (planned.side, Origin.SHADOW)
        status = max(first, second)
        if error_of_status(status, captured.workload, side):
            return  # the access log already counts it as an error
        request_id = captured.logged_id if origin is Origin.LIVE else captured.id
        request = RefusedRequest(captured.workload.name, side, origin, request_id)
        self.counters.count_rejection(Rejection(request, kind_of_refusal(status), int(self._wall() * 1000)))
