"""A pure state machine that rebuilds one request and its answer from Envoy's ext_proc messages.

Theory. An exchange has two halves, the request and the response. Envoy sends both over one stream in observability
mode. Each half goes WAITING → OPEN → DONE. The halves overlap: an answer may begin, and even end, before its request
has ended. A half becomes DONE by ``end_of_stream`` on its headers or on a body chunk, or by trailers. (If trailers
follow, the last chunk has no ``end_of_stream``.) The exchange ends when the response is DONE, even if the request is
not. It also ends when Envoy half-closes the stream before the response is DONE. After such an early close, extproc
cannot find out whether the client, the upstream or Envoy ended the exchange. If the content of the answer shows that
the answer is complete, so is the exchange: many clients leave when they have read ``[DONE]``. A stream whose last event
is known by itself is complete with this event, so nothing waits for the end of its connection (ADR 0575).

Quirks of Envoy 1.40, observed or documented: bodies end with an empty chunk that has ``end_of_stream``; that chunk may
come twice; if a filter answers early, the stream begins with ``response_headers``; 1xx answers precede the final
answer. All of these are legal here. An event that TRANSITIONS does not list raises IllegalEventError *and changes
nothing*.
"""

from __future__ import annotations

from extproc.body_limits import Body, BodyMemory
from extproc.content_coding import decode
from extproc.exchange_events import Chunk, Closed, Event, Milestone, RequestHeaders, ResponseHeaders, Trailers
from extproc.exchange_transitions import TRANSITIONS, Half, HalfState, MessageKind
from extproc.extproc_errors import DecodeError, IllegalEventError
from glidepath.answer_end import AnswerEnd
from glidepath.failed_answers import has_ended
from glidepath.first_content import FirstContent
from glidepath.latency import waited_ms
from glidepath.pairs import Ending

# A module constant costs one dictionary lookup; ``Half.REQUEST`` costs two.
_REQUEST, _NO_MILESTONE = Half.REQUEST, Milestone.NONE
_CHUNK, _CHUNK_END, _EMPTY, _EMPTY_END = (
    MessageKind.CHUNK,
    MessageKind.CHUNK_END,
    MessageKind.EMPTY,
    MessageKind.EMPTY_END,
)


class Exchange:
    """The state of one request and its answer. ``feed`` takes the events in their order of arrival.

    All times are in monotonic seconds. The attributes may be read at any time.
    """

    __slots__ = (
        "_content",
        "_end",
        "_last_data_at",
        "_request_state",
        "_response_state",
        "ended_at",
        "ending",
        "first_byte_at",
        "first_content_at",
        "request",
        "request_body",
        "request_ended_at",
        "response",
        "response_body",
        "shed",
    )

    def __init__(self, max_body: int, memory: BodyMemory) -> None:
        self.request: RequestHeaders | None = None
        self.response: ResponseHeaders | None = None
        self.request_body = Body(max_body, memory)
        self.response_body = Body(max_body, memory)
        self.ending: Ending | None = None
        self.shed = False  # whether Envoy has left out the rest of the copy
        self.request_ended_at: float | None = None
        self.first_byte_at: float | None = None
        self.first_content_at: float | None = None
        self._content: FirstContent | None = None  # finds the first content; None before and after the search
        self._end: AnswerEnd | None = None  # finds the last event; None if no event is known to be the last
        self.ended_at: float | None = None
        self._last_data_at = 0.0
        self._request_state = HalfState.WAITING
        self._response_state = HalfState.WAITING

    @property
    def request_complete(self) -> bool:
        """Whether the whole request has arrived and no limit cut off a part of its body."""
        return self._request_state is HalfState.DONE and not self.request_body.cut

    @property
    def cut(self) -> bool:
        """Whether a limit cut off a part of a body. If so, no pair is made, and the rest need not be read."""
        return self.request_body.cut or self.response_body.cut

    @property
    def first_byte_ms(self) -> float:
        """Milliseconds from the end of the request to the first content of the answer; 0 if this was not measured.

        If the answer is not streamed or has no content, the first byte of its body counts instead.
        """
        at = self.first_byte_at if self.first_content_at is None else self.first_content_at
        return waited_ms(self.request_ended_at, at)

    @property
    def total_ms(self) -> float:
        """Milliseconds from the end of the request to the end of the exchange; 0 if it was not measured."""
        return waited_ms(self.request_ended_at, self.ended_at)

    @property
    def status(self) -> int:
        """The HTTP status of the answer, or 0 if the headers have not arrived or their status is invalid."""
        return self.response.status if self.response else 0

    @property
    def retried(self) -> bool:
        """Whether Envoy made more than one attempt to get the answer.

        In an aggregate cluster with fallback, the second attempt may be a failover. In any other cluster, it is a
        retry.
        """
        return self.response is not None and self.response.attempts > 1

    def feed(self, event: Event, now: float) -> Milestone:
        """Apply one event and return the milestone that it reached.

        If TRANSITIONS does not allow the event, raise IllegalEventError and change nothing.
        """
        if self.ending is not None:
            return self._after_end(event)
        if isinstance(event, Chunk):
            return self.chunk(event.half, event.data, event.end, now)
        if isinstance(event, RequestHeaders):
            return self._request_headers(event, now)
        if isinstance(event, ResponseHeaders):
            return self._response_headers(event, now)
        if isinstance(event, Trailers):
            return self._advance(event.half, MessageKind.TRAILERS, now)
        if self._answer_is_whole():
            self._finish(self._last_data_at)
        else:
            self.ending, self.ended_at = Ending.ABORTED, now
        return Milestone.FINISHED

    def _answer_is_whole(self) -> bool:
        """Return whether the answer is complete by its own format, although its connection has not ended."""
        response, body = self.response, self.response_body
        if response is None or not body.size or body.cut or self._response_state is not HalfState.OPEN:
            return False
        try:
            decoded = decode(body.value(), response.headers.get("content-encoding", ""), body.limit)
        except DecodeError:
            return False
        return has_ended(response.headers.get("content-type", ""), decoded.data)

    def stop(self, now: float) -> None:
        """End the exchange before the end of its answer, because the rest is not needed."""
        self.ending, self.ended_at = Ending.ABORTED, now

    def shed_rest(self, now: float) -> Milestone:
        """End the exchange, because Envoy reports that it leaves out the rest of the copy (``copied_bytes.lua``)."""
        if self.ending is not None:
            return _NO_MILESTONE
        self.shed, self.ending, self.ended_at = True, Ending.ABORTED, now
        return Milestone.FINISHED

    def release(self) -> None:
        """Drop the bytes of both bodies and make their memory available to other exchanges."""
        self.request_body.release()
        self.response_body.release()

    def _after_end(self, event: Event) -> Milestone:
        harmless = isinstance(event, Closed) or (isinstance(event, Chunk) and not event.data)
        if not harmless:
            raise IllegalEventError(f"{type(event).__name__} after the end of the exchange")
        return Milestone.NONE

    def chunk(self, half: Half, data: bytes, end: bool, now: float) -> Milestone:
        """Do the same as ``feed(Chunk(half, data, end), now)``, but faster: no event object is created.

        The speed matters because five of seven messages are chunks.
        """
        if self.ending is not None:
            return self._after_end(Chunk(half, data, end))
        if not data:
            return self._advance(half, _EMPTY_END if end else _EMPTY, now)
        milestone = self._advance(half, _CHUNK_END if end else _CHUNK, now)
        if half is _REQUEST:
            self.request_body.add(data)
        else:
            if self.first_byte_at is None:
                self.first_byte_at = now
            if self._content is not None and self._content.is_in(data):
                self.first_content_at, self._content = now, None
            self._last_data_at = now
            self.response_body.add(data)
            if self._end is not None and self._end.is_in(data) and self.ending is None:
                self._finish(now)
                return Milestone.FINISHED
        return milestone

    def _request_headers(self, event: RequestHeaders, now: float) -> Milestone:
        milestone = self._advance(Half.REQUEST, MessageKind.HEADERS_END if event.end else MessageKind.HEADERS, now)
        self.request = event
        return milestone

    def _response_headers(self, event: ResponseHeaders, now: float) -> Milestone:
        if 100 <= event.status < 200 and event.status != 101:  # 101 is a final answer: RFC 9110, 15.2.2
            return self._advance(Half.RESPONSE, MessageKind.INFORMATIONAL, now)
        milestone = self._advance(Half.RESPONSE, MessageKind.HEADERS_END if event.end else MessageKind.HEADERS, now)
        self.response = event
        kind, encoding = event.headers.get("content-type", ""), event.headers.get("content-encoding", "")
        self._content, self._end = FirstContent(kind, encoding), AnswerEnd.of(kind, encoding)
        if milestone is Milestone.FINISHED:
            self._finish(now)
            return milestone
        return Milestone.ANSWER_BEGUN

    def _advance(self, half: Half, kind: MessageKind, now: float) -> Milestone:
        """Move the request or the response to its next state, and return the milestone that this reached.

        No other function changes the states of the two halves.
        """
        is_request = half is _REQUEST
        before = self._request_state if is_request else self._response_state
        after = TRANSITIONS[half][before].get(kind)
        if after is None:
            raise IllegalEventError(f"{kind.name} while the {half.name} is {before.name}")
        if after is before:
            return _NO_MILESTONE
        if is_request:
            self._request_state = after
            if after is not HalfState.DONE:
                return _NO_MILESTONE
            self.request_ended_at = now
            return Milestone.REQUEST_COMPLETE
        self._response_state = after
        if after is not HalfState.DONE:
            return _NO_MILESTONE
        self._finish(now)
        return Milestone.FINISHED

    def _finish(self, now: float) -> None:
        self.ended_at = now
        details = self.response.details if self.response else ""
        self.ending = Ending.COMPLETE if details in ("", "via_upstream") else Ending.LOCAL
