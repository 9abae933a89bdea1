"""Joins two reports on one request: an access log entry that says that its client left, and the end of its capture.

Many clients leave when they have read the end of an answer (``[DONE]``), before the server ends the stream. Envoy's
access log then shows only that the client left. Capture sees the body, so it knows whether the answer was complete. If
it was, the side has answered the request, and the request counts as such.

The reports come in any order, on different connections. An entry waits for the end of the capture, which Envoy ends
within seconds. If the capture has not even begun, the entry waits for ``EARLY_WAIT_S``: extproc may read the connection
of the access log first. The end of a capture waits for the entry. A request that is not captured, or whose capture
another process receives, counts by its entry alone.

Clients repeat requests under one id, so the time at which Envoy received the request belongs to the key. See ADR 0575.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from extproc.captured_exchange import CapturedExchange
from extproc.outcome_classification import RequestOutcome
from glidepath.pairs import Ending
from glidepath.sides import Origin

LONGEST_ID = 256  # characters; a client may choose its request id, and requests with longer ones are not joined
MAX_WAITING = 10_000  # reports of each kind that wait for the other kind; above it, the oldest waits no longer
LONGEST_WAIT_S = 10.0  # of the end of a capture for the entry, which Envoy sends within a second
EARLY_WAIT_S = 2.0  # of an entry for the beginning of its capture


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """An access log entry, and what ``TrafficCounters.record`` takes with its outcome.

    ``logged_id``: the x-request-id in the entry. ``request_id``: the same, or "" if no refusal may be matched with it.
    ``started_ns``: when Envoy received the request, in Unix nanoseconds.
    """

    outcome: RequestOutcome
    logged_id: str = ""
    request_id: str = ""
    served: str = ""
    sent_bytes: int = 0
    started_ns: int = 0

    @property
    def may_have_been_answered(self) -> bool:
        """Whether the client of the request left after a part of an answer that could be the whole answer."""
        return self.outcome.client_abort and self.outcome.if_complete is not None


class _Key(NamedTuple):
    """One request. No two requests of an Envoy with one id begin in the same nanosecond."""

    workload: str
    logged_id: str
    started_ns: int

    @property
    def is_usable(self) -> bool:
        return self.started_ns > 0 and 0 < len(self.logged_id) <= LONGEST_ID


class _End(NamedTuple):
    """The end of a capture: whether its answer was whole, and when it came, in seconds of ``clock``."""

    is_whole: bool
    at: float


@dataclass(slots=True)
class ClientsThatLeft:
    """Passes each access log entry to ``record`` once: at once, or when the capture of its request has ended.

    At most one entry waits for each running capture, so ``extproc.max_streams`` limits their number.
    """

    record: Callable[[RequestOutcome, str, str, int], None]
    most_waiting: int = MAX_WAITING
    clock: Callable[[], float] = time.monotonic
    _running: dict[_Key, LoggedRequest | None] = field(default_factory=dict)  # and the entry that waits for its end
    _ended: OrderedDict[_Key, _End] = field(default_factory=OrderedDict)
    _early: OrderedDict[_Key, tuple[LoggedRequest, float]] = field(default_factory=OrderedDict)  # and when it came

    def begin(self, captured: CapturedExchange) -> None:
        """Note that the capture of a client's request has begun."""
        key = _key(captured)
        if key.is_usable and key not in self._running:
            early = self._early.pop(key, None)
            self._running[key] = None if early is None else early[0]

    def end(self, captured: CapturedExchange) -> None:
        """Note that the capture of a client's request has ended."""
        key, exchange = _key(captured), captured.exchange
        if key not in self._running:
            return
        logged = self._running.pop(key)
        is_whole = exchange.ending is Ending.COMPLETE and 200 <= exchange.status < 400
        if logged is not None:
            self._pass_on(logged, answered=is_whole)
        else:
            self._ended[key] = _End(is_whole, self.clock())
            if len(self._ended) > self.most_waiting:
                self._ended.popitem(last=False)

    def take(self, logged: LoggedRequest) -> None:
        """Take an access log entry."""
        outcome = logged.outcome
        key = _Key(outcome.workload, logged.logged_id, logged.started_ns)
        if outcome.origin is not Origin.LIVE or not key.is_usable:
            self._pass_on(logged)
        elif (end := self._ended.pop(key, None)) is not None:
            self._pass_on(logged, answered=end.is_whole and self.clock() - end.at <= LONGEST_WAIT_S)
        elif key in self._early or self._running.get(key) is not None:
            self._pass_on(logged)  # the second entry of a request, which Envoy does not write
        elif not logged.may_have_been_answered:
            self._running.pop(key, None)  # the end of its capture is not wanted any more
            self._pass_on(logged)
        elif key in self._running:
            self._running[key] = logged
        else:
            self._early[key] = logged, self.clock()
            if len(self._early) > self.most_waiting:
                self._pass_on_earliest()

    def pass_on_old(self) -> None:
        """Pass on the entries that have waited for ``EARLY_WAIT_S``: no capture of their requests has begun."""
        now = self.clock()
        while self._early and now - next(iter(self._early.values()))[1] >= EARLY_WAIT_S:
            self._pass_on_earliest()

    def pass_on_all(self) -> None:
        """Pass on all entries that wait, because no more reports will come."""
        while self._early:
            self._pass_on_earliest()
        running, self._running = self._running, {}
        for logged in running.values():
            if logged is not None:
                self._pass_on(logged)

    def _pass_on_earliest(self) -> None:
        _, (logged, _) = self._early.popitem(last=False)
        self._pass_on(logged)

    def _pass_on(self, logged: LoggedRequest, *, answered: bool = False) -> None:
        outcome = logged.outcome
        if answered and outcome.if_complete is not None:
            outcome = outcome.if_complete
        self.record(outcome, logged.request_id, logged.served, logged.sent_bytes)


def _key(captured: CapturedExchange) -> _Key:
    return _Key(captured.workload.name, captured.logged_id, captured.started_ns)
