"""One request and its answer as Envoy's ext_proc messages tell it: a pure state machine.

Theory. An exchange has two halves, the request and the response, that Envoy sends over one stream in observability
mode. Each half goes WAITING → OPEN → DONE; they overlap (an answer may begin, even end, before the request has).
A half is DONE by ``end_of_stream`` on its headers or on a body chunk, or by trailers: with trailers the last chunk
carries no ``end_of_stream``. The exchange is over when the response is DONE, whatever the request did, or when the
stream is half-closed before that. Then nobody knows from here who left: the client, the upstream or Envoy.

Quirks seen or documented (Envoy 1.40): bodies end with an empty chunk that has ``end_of_stream``; it may come twice;
a filter that answers early makes a stream begin at ``response_headers``; 1xx answers precede the real one. All are
legal here. What the table does not name raises IllegalEventError *and changes nothing*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from extproc.bounded_body import Body, Memory
from extproc.exceptions import IllegalEventError
from glidepath.domain import Ending


class _Fast(Enum):
    """An Enum whose members hash by identity, in C: they are looked up several times a message."""

    __hash__ = object.__hash__


class Half(_Fast):
    REQUEST = auto()
    RESPONSE = auto()


class Phase(_Fast):
    WAITING = auto()
    OPEN = auto()
    DONE = auto()


class Kind(_Fast):
    """What a message is to its half. ``…_END`` carries end_of_stream; EMPTY and EMPTY_END bring no byte."""

    INFORMATIONAL = auto()  # headers of a 1xx answer
    HEADERS = auto()
    HEADERS_END = auto()
    CHUNK = auto()
    CHUNK_END = auto()
    EMPTY = auto()
    EMPTY_END = auto()
    TRAILERS = auto()


# Bodies and ends are alike for both halves.
_OPEN: Mapping[Kind, Phase] = {
    Kind.CHUNK: Phase.OPEN,
    Kind.CHUNK_END: Phase.DONE,
    Kind.EMPTY: Phase.OPEN,
    Kind.EMPTY_END: Phase.DONE,
    Kind.TRAILERS: Phase.DONE,
}
_DONE: Mapping[Kind, Phase] = {
    Kind.EMPTY: Phase.DONE,
    Kind.EMPTY_END: Phase.DONE,
}

# Every legal transition; what is not here is illegal.
TRANSITIONS: Mapping[Half, Mapping[Phase, Mapping[Kind, Phase]]] = {
    Half.REQUEST: {
        Phase.WAITING: {
            Kind.HEADERS: Phase.OPEN,
            Kind.HEADERS_END: Phase.DONE,
        },
        Phase.OPEN: _OPEN,
        Phase.DONE: _DONE,
    },
    Half.RESPONSE: {
        Phase.WAITING: {
            Kind.INFORMATIONAL: Phase.WAITING,
            Kind.HEADERS: Phase.OPEN,
            Kind.HEADERS_END: Phase.DONE,
        },
        Phase.OPEN: _OPEN,
        Phase.DONE: _DONE,
    },
}


@dataclass(frozen=True, slots=True)
class RequestHeaders:
    """``headers``: allow-listed only, names in lower case. ``cluster``: xds.cluster_name, ``route``: xds.route_name."""

    headers: Mapping[str, str]
    cluster: str = ""
    route: str = ""
    end: bool = False


@dataclass(frozen=True, slots=True)
class ResponseHeaders:
    """``attempts``: upstream.request_attempt_count; ``details``: response.code_details."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    attempts: int = 0
    details: str = ""
    end: bool = False


@dataclass(frozen=True, slots=True)
class Chunk:
    half: Half
    data: bytes = b""
    end: bool = False


@dataclass(frozen=True, slots=True)
class Trailers:
    half: Half


@dataclass(frozen=True, slots=True)
class Closed:
    """The stream is half-closed: nothing more will come."""


Event = RequestHeaders | ResponseHeaders | Chunk | Trailers | Closed


class Signal(Enum):
    """What the shell is to do after an event."""

    NOTHING = auto()
    REQUEST_COMPLETE = auto()  # the tee may begin
    FINISHED = auto()  # the stream may be closed; ``ending`` is set


# As module constants they are one dictionary step away instead of two.
_REQUEST, _NOTHING = Half.REQUEST, Signal.NOTHING
_CHUNK, _CHUNK_END, _EMPTY, _EMPTY_END = Kind.CHUNK, Kind.CHUNK_END, Kind.EMPTY, Kind.EMPTY_END


class Exchange:
    """Fed with events in the order of arrival; ``now`` is monotonic seconds. Reads are valid at any time."""

    __slots__ = (
        "_request_phase",
        "_response_phase",
        "ended_at",
        "ending",
        "first_byte_at",
        "request",
        "request_body",
        "response",
        "response_body",
        "started_at",
    )

    def __init__(self, max_body: int, memory: Memory) -> None:
        self.request: RequestHeaders | None = None
        self.response: ResponseHeaders | None = None
        self.request_body = Body(max_body, memory)
        self.response_body = Body(max_body, memory)
        self.ending: Ending | None = None
        self.started_at = 0.0
        self.first_byte_at = 0.0
        self.ended_at = 0.0
        self._request_phase = Phase.WAITING
        self._response_phase = Phase.WAITING

    @property
    def request_complete(self) -> bool:
        """The whole request was seen and none of it cut."""
        return self._request_phase is Phase.DONE and not self.request_body.cut

    @property
    def first_byte_ms(self) -> float:
        """From request headers to the first byte of the answer's body; 0 when there was none."""
        return max(0.0, self.first_byte_at - self.started_at) * 1000 if self.first_byte_at else 0.0

    @property
    def total_ms(self) -> float:
        return max(0.0, self.ended_at - self.started_at) * 1000

    @property
    def status(self) -> int:
        """The answer's status; 0 while there is none, or where it was none."""
        return self.response.status if self.response else 0

    @property
    def retried(self) -> bool:
        """Envoy had tried before: in a composite cluster a failover, elsewhere a plain retry."""
        return self.response is not None and self.response.attempts > 1

    def feed(self, event: Event, now: float) -> Signal:
        """Advance by one event. Raises IllegalEventError, changing nothing, where the table has no such transition."""
        if self.ending is not None:
            return self._after_end(event)
        if isinstance(event, Chunk):
            return self.chunk(event.half, event.data, event.end, now)
        if isinstance(event, RequestHeaders):
            return self._request_headers(event, now)
        if isinstance(event, ResponseHeaders):
            return self._response_headers(event, now)
        if isinstance(event, Trailers):
            return self._advance(event.half, Kind.TRAILERS, now)
        self.ending, self.ended_at = Ending.ABORTED, now
        return Signal.FINISHED

    def release(self) -> None:
        """Give the bodies' memory back; their bytes are gone afterwards."""
        self.request_body.release()
        self.response_body.release()

    def _after_end(self, event: Event) -> Signal:
        harmless = isinstance(event, Closed) or (isinstance(event, Chunk) and not event.data)
        if not harmless:
            raise IllegalEventError(f"{type(event).__name__} after the exchange had ended")
        return Signal.NOTHING

    def chunk(self, half: Half, data: bytes, end: bool, now: float) -> Signal:
        """``feed(Chunk(half, data, end), now)`` without the event: five messages in seven are chunks."""
        if self.ending is not None:
            return self._after_end(Chunk(half, data, end))
        if not data:
            return self._advance(half, _EMPTY_END if end else _EMPTY, now)
        signal = self._advance(half, _CHUNK_END if end else _CHUNK, now)
        if half is _REQUEST:
            self.request_body.add(data)
        else:
            self.first_byte_at = self.first_byte_at or now
            self.response_body.add(data)
        return signal

    def _request_headers(self, event: RequestHeaders, now: float) -> Signal:
        signal = self._advance(Half.REQUEST, Kind.HEADERS_END if event.end else Kind.HEADERS, now)
        self.request, self.started_at = event, now
        return signal

    def _response_headers(self, event: ResponseHeaders, now: float) -> Signal:
        if 100 <= event.status < 200 and event.status != 101:  # 101 is the answer itself: RFC 9110, 15.2.2
            return self._advance(Half.RESPONSE, Kind.INFORMATIONAL, now)
        signal = self._advance(Half.RESPONSE, Kind.HEADERS_END if event.end else Kind.HEADERS, now)
        self.response = event
        self.started_at = self.started_at or now
        if signal is Signal.FINISHED:
            self._finish(now)
        return signal

    def _advance(self, half: Half, kind: Kind, now: float) -> Signal:
        """Move one half; the only place where a phase changes."""
        asking = half is _REQUEST
        before = self._request_phase if asking else self._response_phase
        after = TRANSITIONS[half][before].get(kind)
        if after is None:
            raise IllegalEventError(f"{kind.name} of the {half.name} that is {before.name}")
        if after is before:
            return _NOTHING
        if asking:
            self._request_phase = after
            return Signal.REQUEST_COMPLETE if after is Phase.DONE else _NOTHING
        self._response_phase = after
        if after is not Phase.DONE:
            return _NOTHING
        self._finish(now)
        return Signal.FINISHED

    def _finish(self, now: float) -> None:
        self.ended_at = now
        details = self.response.details if self.response else ""
        self.ending = Ending.COMPLETE if details in ("", "via_upstream") else Ending.LOCAL
