"""Joins two reports on one request: an access log entry that says that its client left, and the end of its capture.

Many clients leave when they have read the end of an answer (``[DONE]``), before the server ends the stream. Envoy's
access log then shows only that the client left. Capture sees the body, so it knows whether the answer was complete. If
it was, the side has answered the request, and the request counts as such.

The reports come in any order. If the capture ends first, its result waits for the entry. If the entry comes first, it
waits for the end of the capture, which Envoy ends within seconds. A request that is not captured, or whose capture
another process receives, counts by its entry alone. See ADR 0575.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from extproc.captured_exchange import CapturedExchange
from extproc.outcome_classification import RequestOutcome
from glidepath.pairs import Ending
from glidepath.sides import Origin

LONGEST_ID = 256  # characters; a client may choose its request id, and requests with longer ones are not joined
MAX_COMPLETE = 10_000  # complete answers that wait for their entries; above it, the oldest is dropped
_Key = tuple[str, str]  # the workload, and the x-request-id in the access log


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """An access log entry as ``TrafficCounters.record`` takes it."""

    outcome: RequestOutcome
    request_id: str = ""
    served: str = ""
    sent_bytes: int = 0


@dataclass(slots=True)
class ClientsThatLeft:
    """Passes each access log entry to ``record`` once: at once, or when the capture of its request has ended.

    At most one entry waits for each capture, so ``extproc.max_streams`` limits their number.
    """

    record: Callable[[RequestOutcome, str, str, int], None]
    most_complete: int = MAX_COMPLETE
    _running: Counter[_Key] = field(default_factory=Counter)
    _complete: OrderedDict[_Key, None] = field(default_factory=OrderedDict)
    _waiting: dict[_Key, LoggedRequest] = field(default_factory=dict)

    def begin(self, captured: CapturedExchange) -> None:
        """Note that the capture of a client's request has begun."""
        if 0 < len(captured.logged_id) <= LONGEST_ID:
            self._running[_key(captured)] += 1

    def end(self, captured: CapturedExchange) -> None:
        """Note that the capture of a client's request has ended."""
        key, complete = _key(captured), captured.exchange.ending is Ending.COMPLETE
        if not self._ended(key):
            return  # its entry needed no more than itself
        waiting = self._waiting.pop(key, None)
        if waiting is not None:
            self._pass_on(waiting, answered=complete)
        elif complete:
            self._complete[key] = None
            if len(self._complete) > self.most_complete:
                self._complete.popitem(last=False)

    def take(self, logged: LoggedRequest) -> None:
        """Take an access log entry."""
        outcome = logged.outcome
        key = (outcome.workload, logged.request_id)
        if outcome.origin is not Origin.LIVE or not 0 < len(logged.request_id) <= LONGEST_ID:
            self._pass_on(logged)
        elif outcome.if_complete is None:
            self._complete.pop(key, None)
            self._running.pop(key, None)
            self._pass_on(logged)
        elif key in self._complete:
            del self._complete[key]
            self._pass_on(logged, answered=True)
        elif outcome.client_abort and key in self._running and key not in self._waiting:
            self._waiting[key] = logged
        else:
            self._pass_on(logged)

    def pass_on_all(self) -> None:
        """Pass on the entries that wait, because no more reports will come."""
        waiting, self._waiting = self._waiting, {}
        for logged in waiting.values():
            self._pass_on(logged)

    def _ended(self, key: _Key) -> bool:
        if key not in self._running:
            return False
        self._running[key] -= 1
        if not self._running[key]:
            del self._running[key]
        return True

    def _pass_on(self, logged: LoggedRequest, *, answered: bool = False) -> None:
        outcome = logged.outcome
        if answered and outcome.if_complete is not None:
            outcome = outcome.if_complete
        self.record(outcome, logged.request_id, logged.served, logged.sent_bytes)


def _key(captured: CapturedExchange) -> _Key:
    return captured.workload.name, captured.logged_id
