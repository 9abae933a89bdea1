"""Server-sent events are parsed by the rules of the standard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.scoring.answers.server_sent_events import ServerSentEvent as Event
from scorer.scoring.answers.server_sent_events import looks_like_sse, parse_sse
from scorer.scoring.answers.strict_json import UnusableBodyError

LINE = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12)


@pytest.mark.parametrize(
    ("body", "events"),
    [
        (b"data: a\n\n", [Event("", "a")]),
        (b"data:a\n\n", [Event("", "a")]),
        (b"data:  a\n\n", [Event("", " a")]),  # only one space is removed
        (b"data: a\ndata: b\n\n", [Event("", "a\nb")]),
        (b"data\n\n", [Event("", "")]),
        (b": comment\n\ndata: a\n: another\n\n", [Event("", "a")]),
        (b"\xef\xbb\xbfdata: a\n\n", [Event("", "a")]),
        (
            b"data: a\r\n\r\ndata: b\r\rdata: c\n\n",
            [Event("", "a"), Event("", "b"), Event("", "c")],
        ),
        (b"event: x\ndata: a\n\ndata: b\n\n", [Event("x", "a"), Event("", "b")]),
        # an event without data is dropped with its name:
        (b"event: x\n\ndata: b\n\n", [Event("", "b")]),
        (b"id: 1\nretry: 5\nunknown: 2\ndata: a\n\n", [Event("", "a")]),
        (b"data: a\xff\n\n", [Event("", "a\ufffd")]),
        # these characters are not line ends:
        ("data: a\u2028b\x0b\x85c\n\n".encode(), [Event("", "a\u2028b\x0b\x85c")]),
        (b"data: a\n\ndata: b\n", [Event("", "a"), Event("", "b", whole=False)]),
        (b"data: a\n\ndata: b", [Event("", "a"), Event("", "b", whole=False)]),
        (b"error: gone\n\n", [Event("error", "gone")]),
        (b"", []),
    ],
)
def test_events_are_parsed_as_the_standard_requires(body, events):
    assert parse_sse(body) == events


@pytest.mark.slow
@given(
    st.lists(st.tuples(LINE.filter(bool), st.lists(LINE, min_size=1, max_size=3)), max_size=5),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_written_events_are_parsed_with_any_line_ending(written, end):
    body = "".join(
        f"event: {name}{end}" + "".join(f"data: {line}{end}" for line in lines) + end for name, lines in written
    )
    assert parse_sse(body.encode()) == [Event(name, "\n".join(lines)) for name, lines in written]


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed(body):
    for event in parse_sse(body):
        assert "\r" not in event.data


@pytest.mark.slow
def test_the_number_of_events_is_bounded():
    with pytest.raises(UnusableBodyError, match="events"):
        parse_sse(b"data:\n\n" * 200_001)


@pytest.mark.parametrize(
    ("text", "expected"), [("data: {}", True), (": hi", True), ("event: x", True), ("database", False), ("{}", False)]
)
def test_a_stream_is_recognised_by_its_first_line(text, expected):
    assert looks_like_sse(text) is expected
