"""The exchange's state machine as transcripts: Envoy's messages, and the state after each of them."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.body_limits import BodyMemory
from extproc.exchange import Exchange
from extproc.exchange_events import Chunk, Closed, Event, Milestone, RequestHeaders, ResponseHeaders, Trailers
from extproc.exchange_transitions import TRANSITIONS, Half, HalfState, MessageKind
from extproc.extproc_errors import IllegalEventError
from glidepath.pairs import Ending

POST = RequestHeaders({":method": "POST", ":path": "/v1/chat/completions"}, "cloud")
GET = RequestHeaders({":method": "GET"}, "cloud", end=True)
OK = ResponseHeaders(200, {"content-type": "application/json"}, 1, "via_upstream")
NOTHING, REQUEST_COMPLETE, FINISHED = Milestone.NONE, Milestone.REQUEST_COMPLETE, Milestone.FINISHED
BEGUN = Milestone.ANSWER_BEGUN


def ask(data: bytes = b"", *, end: bool = False) -> Chunk:
    return Chunk(Half.REQUEST, data, end)


def answer(data: bytes = b"", *, end: bool = False) -> Chunk:
    return Chunk(Half.RESPONSE, data, end)


def new(max_body: int = 100, memory: int = 1000) -> Exchange:
    return Exchange(max_body, BodyMemory(memory))


def play(exchange: Exchange, *events: Event) -> list[Milestone]:
    """Feed the events at intervals of a second, from second 1. Return their milestones."""
    return [exchange.feed(event, float(at)) for at, event in enumerate(events, 1)]


def test_json_ends_with_an_empty_last_chunk() -> None:
    e = new()
    milestones = play(e, POST, ask(b"{}"), ask(end=True), OK, answer(b'{"a"'), answer(b":1}"), answer(end=True))
    assert milestones == [NOTHING, NOTHING, REQUEST_COMPLETE, BEGUN, NOTHING, NOTHING, FINISHED]
    assert (e.ending, e.request_complete, e.status) == (Ending.COMPLETE, True, 200)
    assert (e.request_body.value(), e.response_body.value()) == (b"{}", b'{"a":1}')
    assert (e.first_byte_ms, e.total_ms) == (2000.0, 4000.0)


def test_a_whole_body_in_one_last_chunk() -> None:
    e = new()
    milestones = play(e, POST, ask(b"{}", end=True), OK, answer(b"[]", end=True))
    assert milestones == [NOTHING, REQUEST_COMPLETE, BEGUN, FINISHED]
    assert e.response_body.value() == b"[]"


def test_the_first_byte_of_an_sse_answer_is_that_of_its_body() -> None:
    e = new()
    play(
        e,
        POST,
        ask(b"{}", end=True),
        OK,
        answer(),
        answer(b"data: 1\n\n"),
        answer(b"data: [DONE]\n\n"),
        answer(end=True),
    )
    assert e.ending is Ending.COMPLETE
    assert e.response_body.value() == b"data: 1\n\ndata: [DONE]\n\n"
    assert e.first_byte_ms == 3000.0


def test_with_trailers_the_last_chunk_has_no_end() -> None:
    e = new()
    milestones = play(e, POST, ask(b"q"), Trailers(Half.REQUEST), OK, answer(b"a"), Trailers(Half.RESPONSE))
    assert milestones == [NOTHING, NOTHING, REQUEST_COMPLETE, BEGUN, NOTHING, FINISHED]
    assert e.ending is Ending.COMPLETE


def test_empty_chunks_in_mid_body_change_nothing() -> None:
    e = new()
    play(e, POST, ask(), ask(b"q"), ask(), ask(end=True), OK, answer(), answer(b"a"), answer(), answer(end=True))
    assert (e.request_body.value(), e.response_body.value(), e.ending) == (b"q", b"a", Ending.COMPLETE)


def test_a_repeated_end_of_the_request_completes_it_once() -> None:
    milestones = play(new(), POST, ask(b"q", end=True), ask(end=True), ask(), OK)
    assert milestones == [NOTHING, REQUEST_COMPLETE, NOTHING, NOTHING, BEGUN]


def test_a_repeated_end_of_the_response_finishes_it_once() -> None:
    e = new()
    milestones = play(e, POST, ask(end=True), OK, answer(b"a", end=True), answer(end=True), Closed())
    assert milestones[3:] == [FINISHED, NOTHING, NOTHING]
    assert (e.ending, e.ended_at) == (Ending.COMPLETE, 4.0)


def test_a_request_without_body_is_complete_with_its_headers() -> None:
    e = new()
    assert play(e, GET, OK, answer(end=True)) == [REQUEST_COMPLETE, BEGUN, FINISHED]
    assert (e.request_complete, e.request_body.value()) == (True, b"")


def test_an_answer_without_body_ends_with_its_headers() -> None:
    e = new()
    milestones = play(e, GET, ResponseHeaders(204, {}, 1, "via_upstream", end=True))
    assert (milestones, e.ending, e.first_byte_ms, e.total_ms) == (
        [REQUEST_COMPLETE, FINISHED],
        Ending.COMPLETE,
        0.0,
        1000.0,
    )


def test_a_stream_that_begins_at_the_response_is_followed_but_has_no_request() -> None:
    e = new()
    assert play(e, OK, answer(b"a", end=True)) == [BEGUN, FINISHED]
    assert (e.ending, e.request, e.request_complete) == (Ending.COMPLETE, None, False)


def test_an_answer_may_end_before_the_request_has() -> None:
    e = new()
    milestones = play(e, POST, ask(b"q"), ResponseHeaders(413, {}, 1, "via_upstream"), answer(b"no", end=True))
    assert milestones[-1] is FINISHED
    assert (e.ending, e.request_complete) == (Ending.COMPLETE, False)
    assert (e.first_byte_ms, e.total_ms) == (0.0, 0.0)


def test_both_halves_may_overlap() -> None:
    e = new()
    milestones = play(e, POST, ask(b"1"), OK, answer(b"a"), ask(b"2", end=True), answer(b"b", end=True))
    assert milestones == [NOTHING, NOTHING, BEGUN, NOTHING, REQUEST_COMPLETE, FINISHED]
    assert (e.request_body.value(), e.response_body.value()) == (b"12", b"ab")
    assert (e.first_byte_ms, e.total_ms) == (0.0, 1000.0)  # the first byte came before the end of the request


@pytest.mark.parametrize(
    "before",
    [
        [],
        [POST],
        [POST, ask(b"half")],
        [POST, ask(b"q", end=True)],
        [POST, ask(b"q", end=True), OK],
        [POST, ask(b"q", end=True), OK, answer(b"half an ans")],
    ],
)
def test_a_half_close_before_the_end_is_an_abort_in_every_state(before: list[Event]) -> None:
    """A client's disconnect and an upstream's failure look the same: the stream ends without end_of_stream."""
    e = new()
    play(e, *before)
    assert e.feed(Closed(), 9.0) is FINISHED
    assert (e.ending, e.ended_at) == (Ending.ABORTED, 9.0)
    assert e.feed(Closed(), 10.0) is NOTHING


@pytest.mark.parametrize("end", [True, False])
def test_a_local_reply_is_not_the_backends_answer(end: bool) -> None:
    e = new()
    play(e, GET, ResponseHeaders(503, {}, 0, "no_healthy_upstream", end=end))
    if not end:
        e.feed(answer(b"no healthy upstream", end=True), 3.0)
    assert (e.ending, e.status) == (Ending.LOCAL, 503)


def test_a_second_attempt_is_recorded() -> None:
    e = new()
    play(e, GET, ResponseHeaders(200, {}, 2, "via_upstream"), answer(b"a", end=True))
    assert (e.ending, e.retried) == (Ending.COMPLETE, True)


def test_informational_answers_may_precede_the_final_one() -> None:
    e = new()
    milestones = play(
        e, POST, ResponseHeaders(100), ask(b"q", end=True), ResponseHeaders(103), OK, answer(b"a", end=True)
    )
    assert milestones == [NOTHING, NOTHING, REQUEST_COMPLETE, NOTHING, BEGUN, FINISHED]
    assert (e.status, e.ending) == (200, Ending.COMPLETE)


def test_switching_protocols_is_a_final_answer() -> None:
    e = new()
    play(e, GET, ResponseHeaders(101, {}, 1, "via_upstream"))
    assert e.status == 101


ILLEGAL: list[tuple[str, list[Event], Event]] = [
    ("request body before headers", [], ask(b"q")),
    ("request trailers before headers", [], Trailers(Half.REQUEST)),
    ("response body before headers", [POST], answer(b"a")),
    ("response trailers before headers", [POST], Trailers(Half.RESPONSE)),
    ("request headers twice", [POST], POST),
    ("response headers twice", [POST, OK], OK),
    ("1xx after the answer began", [POST, OK], ResponseHeaders(100)),
    ("request bytes after its end", [POST, ask(end=True)], ask(b"more")),
    ("request trailers after its end", [POST, ask(end=True)], Trailers(Half.REQUEST)),
    ("response bytes after the end", [POST, OK, answer(b"a", end=True)], answer(b"more")),
    ("response headers after the end", [POST, OK, answer(b"a", end=True)], OK),
    ("request headers after an abort", [POST, Closed()], POST),
]


def snapshot(e: Exchange) -> tuple[object, ...]:
    bodies = [(b.value(), b.cut, b.size) for b in (e.request_body, e.response_body)]
    return e.request, e.response, e.ending, e.request_ended_at, e.first_byte_at, e.ended_at, e.request_complete, *bodies


@pytest.mark.parametrize(("what", "before", "event"), ILLEGAL, ids=[what for what, _, _ in ILLEGAL])
def test_an_illegal_event_is_a_typed_error_and_changes_nothing(what: str, before: list[Event], event: Event) -> None:
    e, twin = new(), new()
    play(e, *before)
    play(twin, *before)
    was = snapshot(e)
    with pytest.raises(IllegalEventError):
        e.feed(event, 50.0)
    assert snapshot(e) == was
    # The exchange continues as if the illegal event had not been sent.
    following = [OK, answer(b"x", end=True)] if e.response is None else [answer(b"x", end=True)]
    if e.ending is None:
        assert play(e, *following) == play(twin, *following)
        assert snapshot(e) == snapshot(twin)


def test_every_state_of_both_halves_has_a_row_in_the_table() -> None:
    for half in Half:
        assert set(TRANSITIONS[half]) == set(HalfState)
    assert all(kind is not MessageKind.HEADERS for kind in TRANSITIONS[Half.REQUEST][HalfState.DONE])


def test_a_long_body_is_cut_and_marked() -> None:
    e = new(max_body=4)
    play(e, POST, ask(b"abc"), ask(b"def"), ask(b"ghi", end=True), OK, answer(b"1234", end=True))
    assert (e.request_body.value(), e.request_body.cut, e.request_complete) == (b"abcd", True, False)
    assert (e.response_body.value(), e.response_body.cut) == (b"1234", False)


def test_all_exchanges_together_hold_no_more_than_the_memory_limit() -> None:
    memory = BodyMemory(10)
    first, second = Exchange(100, memory), Exchange(100, memory)
    play(first, POST, ask(b"12345678", end=True))
    play(second, POST, ask(b"abcdefgh", end=True))
    assert (memory.held, memory.refused) == (10, 1)
    assert (second.request_body.value(), second.request_body.cut) == (b"ab", True)
    first.release()
    second.release()
    assert (memory.held, memory.peak) == (0, 10)


@given(st.lists(st.floats(0.001, 60), min_size=1, max_size=6))
def test_the_time_that_a_client_takes_to_send_its_request_is_no_latency(pauses: list[float]) -> None:
    slow, quick = new(), new()
    now = 0.0
    slow.feed(POST, now)
    for pause in pauses:
        now += pause
        slow.feed(ask(b"q", end=False), now)
    slow.feed(ask(end=True), now)
    quick.feed(POST, now)
    quick.feed(ask(b"q", end=True), now)
    for e in (slow, quick):
        e.feed(OK, now + 1)
        e.feed(answer(b"a"), now + 2)
        e.feed(answer(end=True), now + 3)
    assert (slow.first_byte_ms, slow.total_ms) == (quick.first_byte_ms, quick.total_ms)


EVENTS = st.one_of(
    st.sampled_from([POST, GET, OK, Closed(), Trailers(Half.REQUEST), Trailers(Half.RESPONSE), ResponseHeaders(100)]),
    st.builds(Chunk, st.sampled_from(Half), st.binary(max_size=8), st.booleans()),
)


@given(st.lists(EVENTS, max_size=30))
def test_any_sequence_of_events_ends_at_most_once_and_releases_all_memory(events: list[Event]) -> None:
    memory = BodyMemory(50)
    e = Exchange(20, memory)
    milestones = []
    for at, event in enumerate(events):
        was = snapshot(e)
        try:
            milestones.append(e.feed(event, float(at)))
        except IllegalEventError:
            assert snapshot(e) == was
    assert milestones.count(FINISHED) == (e.ending is not None)
    assert milestones.count(REQUEST_COMPLETE) <= 1
    assert memory.held == e.request_body.size + e.response_body.size <= 50
    e.release()
    assert memory.held == 0


def test_when_envoy_leaves_out_the_rest_the_exchange_ends_once_and_keeps_an_end_that_it_had() -> None:
    exchange = new()
    exchange.feed(POST, 1.0)
    assert (exchange.shed_rest(2.0), exchange.shed, exchange.ending) == (Milestone.FINISHED, True, Ending.ABORTED)
    assert exchange.shed_rest(3.0) is Milestone.NONE
    ended = new()
    ended.feed(ResponseHeaders(200, end=True), 1.0)
    assert (ended.shed_rest(2.0), ended.shed, ended.ending) == (Milestone.NONE, False, Ending.COMPLETE)


SSE = {"content-type": "text/event-stream"}
WHOLE: dict[str, tuple[dict[str, str], bytes]] = {
    "[DONE]": (SSE, b'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n'),
    "a finish reason": (SSE, b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'),
    "message_stop": (SSE, b'event: message_stop\ndata: {"type":"message_stop"}\n\n'),
    "response.completed": (SSE, b'data: {"type":"response.completed","response":{}}\n\n'),
    "Gemini's finish reason": (SSE, b'data: {"candidates":[{"finishReason":"STOP"}]}\n\n'),
    "Ollama's last line": ({"content-type": "application/x-ndjson"}, b'{"done":false}\n{"done":true}\n'),
    "Cohere's last line": ({"content-type": "application/stream+json"}, b'{}\n{"event_type":"stream-end"}\n'),
    "an error event": (SSE, b'data: {"x":1}\n\ndata: {"error":{"message":"overloaded"}}\n\n'),
    "an error line": ({"content-type": "application/x-ndjson"}, b'{"done":false}\n{"error":"gone"}\n'),
    "llama.cpp's last event": (SSE, b'data: {"content":"","stop":true,"stop_type":"eos"}\n\n'),
    "a document": ({"content-type": "application/json"}, b'{"choices": []}'),
    "encoded": (SSE | {"content-encoding": "gzip"}, gzip.compress(b"data: [DONE]\n\n")),
}
UNFINISHED: dict[str, tuple[dict[str, str], bytes]] = {
    "a stream": (SSE, b'data: {"choices":[{"delta":{"content":"[DONE]"},"finish_reason":null}]}\n\n'),
    "Ollama's stream": ({"content-type": "application/x-ndjson"}, b'{"done":false}\n{"done":false}\n'),
    "lines without an error": (
        {"content-type": "application/x-ndjson"},
        b'{"token":"a","error":null}\n{"token":"b","error":null}\n',
    ),
    "a document": ({"content-type": "application/json"}, b'{"choices": ['),
    "text": ({"content-type": "text/plain"}, b"Once upon a time"),
    "an unknown encoding": (SSE | {"content-encoding": "x"}, b"data: [DONE]\n\n"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_that_has_ended_by_itself_is_complete_although_the_client_left(name: str) -> None:
    headers, body = WHOLE[name]
    e = new()
    milestones = play(e, POST, ask(b"{}", end=True), ResponseHeaders(200, headers), answer(body), Closed())
    ends_it = name in ("[DONE]", "message_stop", "response.completed", "Ollama's last line")  # certainly the last event
    assert milestones[-2:] == ([FINISHED, NOTHING] if ends_it else [NOTHING, FINISHED])
    assert e.ending is Ending.COMPLETE
    assert e.total_ms == 2000.0  # to the last byte, not to the close


@pytest.mark.parametrize("name", UNFINISHED)
def test_an_answer_without_its_end_is_aborted_if_the_client_left(name: str) -> None:
    headers, body = UNFINISHED[name]
    e = new()
    play(e, POST, ask(b"{}", end=True), ResponseHeaders(200, headers), answer(body), Closed())
    assert e.ending is Ending.ABORTED


def test_the_time_to_the_first_token_ends_at_the_first_content_of_a_stream() -> None:
    stream = ResponseHeaders(200, {"content-type": "text/event-stream"}, 1, "via_upstream")
    role, text = b'data: {"choices": [{"delta": {"role": "assistant", "content": ""}}]}\n\n', b'data: {"x": 1}\n\n'
    e = new(1000, 5000)
    play(e, POST, ask(b"{}", end=True), stream, answer(b": wait\n\n"), answer(role), answer(text), answer(end=True))
    assert e.first_byte_ms == 4000.0  # the end of the request came at second 2, the content at second 6
    without = new(1000, 5000)
    play(without, POST, ask(b"{}", end=True), stream, answer(role), answer(end=True))
    assert without.first_byte_ms == 2000.0


@pytest.mark.parametrize(
    "after", [[], [answer(b": bye\n\n")], [answer(end=True)], [Trailers(Half.RESPONSE)], [Closed()]]
)
def test_the_last_event_finishes_the_exchange_whatever_follows(after: list[Event]) -> None:
    e = new()
    play(e, POST, ask(b"{}", end=True), ResponseHeaders(200, SSE), answer(b"data: 1\n\n"))
    assert e.feed(answer(b"data: [DONE]\n\n"), 9.0) is FINISHED
    for event in after:
        try:
            assert e.feed(event, 10.0) is NOTHING
        except IllegalEventError:
            assert not isinstance(event, Closed)
    assert (e.ending, e.ended_at) == (Ending.COMPLETE, 9.0)
    assert e.response_body.value() == b"data: 1\n\ndata: [DONE]\n\n"


def test_the_last_event_in_the_last_chunk_finishes_the_exchange_once() -> None:
    e = new()
    milestones = play(e, POST, ask(b"{}", end=True), ResponseHeaders(200, SSE), answer(b"data: [DONE]\n\n", end=True))
    assert milestones[-1] is FINISHED


def test_the_last_event_of_envoys_own_answer_is_no_answer_of_a_side() -> None:
    e = new()
    play(e, POST, ask(b"{}", end=True), ResponseHeaders(200, SSE, 1, "lua_response"), answer(b"data: [DONE]\n\n"))
    assert e.ending is Ending.LOCAL
