"""Matches two reports on one request: its access log entry, and a proof of an error that the entry does not show.

Capture gives the proof in two cases: the other side answered a copy of a request that this side refused with a 4xx, or
the body of the answer shows that it failed (extproc/answer_check.py). The entry may come before or after the proof. If
the entry already counts as an error or as a client abort, the proof is ignored, so each request is at most one error.
See ADR 0021 and 0186.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TypeVar

from glidepath.sides import Origin, Side

MAX_ENTRIES = 10_000  # the access log entries of refused requests that are kept, and the proofs that wait
ELSEWHERE_MS = 10_000  # after this time another process is presumed to have received the entry

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class RefusedRequest:
    """Identifies a request to one side. ``id`` is its x-request-id; a copy has the id of its original."""

    workload: str
    side: Side
    origin: Origin
    id: str


@dataclass(frozen=True, slots=True)
class Rejection:
    """The proof that a request failed at a side. ``kind`` is the kind of error, ``at_ms`` is Unix time in ms."""

    request: RefusedRequest
    kind: str
    at_ms: int


@dataclass(slots=True)
class RefusalMatcher:
    """Keeps access log entries and proofs until the other report on the same request arrives.

    Above ``MAX_ENTRIES`` of either kind, the oldest are dropped.
    """

    _counted_as_success: OrderedDict[RefusedRequest, bool] = field(default_factory=OrderedDict)
    _waiting: OrderedDict[RefusedRequest, Rejection] = field(default_factory=OrderedDict)

    def entry(self, request: RefusedRequest, counted_as_success: bool) -> Rejection | None:
        """Process an access log entry with status 2xx to 4xx. Return the rejection that must now be counted, or None.

        ``counted_as_success`` is False if the entry counts as an error or as a client abort.
        """
        rejection = self._waiting.pop(request, None)
        if rejection is None:
            self._counted_as_success[request] = counted_as_success
            _drop_oldest(self._counted_as_success)
        return rejection if counted_as_success else None

    def proof(self, rejection: Rejection) -> Rejection | None:
        """Process the proof that a request failed. Return it if it must now be counted as an error, otherwise None.

        If too many proofs wait for their access log entries, the oldest one is returned instead.
        """
        counted_as_success = self._counted_as_success.pop(rejection.request, None)
        if counted_as_success is None:
            self._waiting[rejection.request] = rejection
            return _drop_oldest(self._waiting)
        return rejection if counted_as_success else None

    def received_elsewhere(self, now_ms: int) -> list[Rejection]:
        """Return and forget the rejections whose access log entry did not arrive here within ``ELSEWHERE_MS``.

        A rejection with a time in the future is returned as well: the clock was set back, and an error must not be
        counted late.
        """
        late = [waiting for waiting in self._waiting.values() if abs(now_ms - waiting.at_ms) >= ELSEWHERE_MS]
        for rejection in late:
            del self._waiting[rejection.request]
        return late


def _drop_oldest(reports: OrderedDict[RefusedRequest, _Value]) -> _Value | None:
    return reports.popitem(last=False)[1] if len(reports) > MAX_ENTRIES else None
