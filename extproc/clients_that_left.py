"""Joins two reports on one request: an access log entry that says that its client left, and the end of its capture.

Many clients leave when they have read the end of an answer (``[DONE]``), before the server ends the stream. Envoy's
access log then shows only that the client left. Capture sees the body, so it knows whether the answer was complete. If
it was, the side has answered the request, and the request counts as such.

The reports come in any order. If the capture ends first, its result waits for the entry. If the entry comes first, it
waits for the end of the capture, which Envoy ends within seconds. A request counts by its entry alone if it is not
captured, if another process receives its capture, or if other requests have its id: clients repeat requests under one
id. See ADR 0575.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from extproc.captured_exchange import CapturedExchange
from extproc.outcome_classification import RequestOutcome
from glidepath.pairs import Ending
from glidepath.sides import Origin

LONGEST_ID = 256  # characters; a client may choose its request id, and requests with longer ones are not joined
MAX_COMPLETE = 10_000  # complete answers that wait for their entries; above it, the oldest is dropped
LONGEST_WAIT_S = 10.0  # of a complete answer for its entry, which Envoy sends within a second
_Key = tuple[str, str]  # the workload, and the x-request-id in the access log


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """An access log entry, and what ``TrafficCounters.record`` takes with its outcome.

    ``logged_id``: the x-request-id in the entry. ``request_id``: the same, or "" if no refusal may be matched with it.
    """

    outcome: RequestOutcome
    logged_id: str = ""
    request_id: str = ""
    served: str = ""
    sent_bytes: int = 0


@dataclass(slots=True)
class _Captures:
    """The captures of one id that have begun and not ended.

    ``entry``: the entry that waits for the end of the only one. ``is_joined``: whether its end is still wanted.
    """

    number: int = 1
    is_joined: bool = True
    entry: LoggedRequest | None = None


@dataclass(slots=True)
class ClientsThatLeft:
    """Passes each access log entry to ``record`` once: at once, or when the capture of its request has ended.

    At most one entry waits for each id with a running capture, so ``extproc.max_streams`` limits their number.
    """

    record: Callable[[RequestOutcome, str, str, int], None]
    most_complete: int = MAX_COMPLETE
    clock: Callable[[], float] = time.monotonic
    _running: dict[_Key, _Captures] = field(default_factory=dict)
    _complete: OrderedDict[_Key, float] = field(default_factory=OrderedDict)  # and when the capture ended

    def begin(self, captured: CapturedExchange) -> None:
        """Note that the capture of a client's request has begun."""
        key = _key(captured)
        if not 0 < len(captured.logged_id) <= LONGEST_ID:
            return
        running = self._running.get(key)
        if running is not None:
            running.number += 1
            self._stop_joining(running)
        else:
            is_first = self._complete.pop(key, None) is None
            self._running[key] = _Captures(is_joined=is_first)

    def end(self, captured: CapturedExchange) -> None:
        """Note that the capture of a client's request has ended."""
        key, exchange = _key(captured), captured.exchange
        running = self._running.get(key)
        if running is None:
            return
        running.number -= 1
        if running.number == 0:
            del self._running[key]
        is_whole = exchange.ending is Ending.COMPLETE and 200 <= exchange.status < 400
        if running.entry is not None:
            self._pass_on(running.entry, answered=is_whole)
        elif running.is_joined and is_whole:
            self._complete[key] = self.clock()
            if len(self._complete) > self.most_complete:
                self._complete.popitem(last=False)

    def take(self, logged: LoggedRequest) -> None:
        """Take an access log entry."""
        outcome = logged.outcome
        key = (outcome.workload, logged.logged_id)
        if outcome.origin is not Origin.LIVE:
            self._pass_on(logged)
            return
        complete_at, running = self._complete.pop(key, None), self._running.get(key)
        is_whole = complete_at is not None and self.clock() - complete_at <= LONGEST_WAIT_S
        if running is None or not running.is_joined:
            self._pass_on(logged, answered=is_whole)
        elif outcome.client_abort and outcome.if_complete is not None and running.entry is None:
            running.entry = logged
        else:
            self._stop_joining(running)
            self._pass_on(logged)

    def pass_on_all(self) -> None:
        """Pass on the entries that wait, because no more reports will come."""
        for running in self._running.values():
            self._stop_joining(running)

    def _stop_joining(self, running: _Captures) -> None:
        """Let the entries of this id count by themselves, because it is not known which capture belongs to which."""
        running.is_joined = False
        entry, running.entry = running.entry, None
        if entry is not None:
            self._pass_on(entry)

    def _pass_on(self, logged: LoggedRequest, *, answered: bool = False) -> None:
        outcome = logged.outcome
        if answered and outcome.if_complete is not None:
            outcome = outcome.if_complete
        self.record(outcome, logged.request_id, logged.served, logged.sent_bytes)


def _key(captured: CapturedExchange) -> _Key:
    return captured.workload.name, captured.logged_id
