"""Decoding stream entries: a bad entry is counted and skipped."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from glidepath.feedback import Feedback, FeedbackMatch
from glidepath.outcome_summaries import Outcomes
from glidepath.protobuf_codec import encode_outcomes
from glidepath.status_and_decisions import Command, CommandKind, to_json
from scorer.steering.leader.redis_store import decode_news

FIELDS = {"outcomes": b"o", "results": b"r", "commands": b"c", "feedback": b"f"}


@given(st.lists(st.tuples(st.sampled_from(list(FIELDS)), st.binary(max_size=60)), max_size=6))
def test_entries_that_cannot_be_decoded_are_counted_and_passed_over(entries: list[tuple[str, bytes]]) -> None:
    streams: dict[str, list[Any]] = {}
    for number, (stream, data) in enumerate(entries):
        streams.setdefault(stream, []).append((f"{number}-0".encode(), {FIELDS[stream]: data}))
    news = decode_news(streams)
    read = (news.outcomes, news.scored, news.commands, news.feedback)
    assert sum(map(len, read)) + news.bad == len(entries)
    assert all(news.cursors[stream] == last[-1][0].decode() for stream, last in streams.items())


def test_good_entries_beside_bad_ones_are_decoded() -> None:
    good = encode_outcomes(Outcomes("chat", "x", 1, 0, 1))
    hold = to_json(Command(CommandKind.HOLD, "ann")).encode()
    news = decode_news(
        {
            "outcomes": [(b"1-0", {b"o": b"\xff"}), (b"2-0", {b"o": good}), (b"3-0", {})],
            "commands": [(b"9-0", {b"c": hold})],
            "feedback": [(b"5-0", {b"f": b'["candidate",0.5,7,""]'}), (b"6-0", {b"f": b'["candidate",2,7,""]'})],
        }
    )
    assert news.feedback == (Feedback(FeedbackMatch.CANDIDATE, 0.5, 7),)
    assert (len(news.outcomes), news.bad, news.commands[0].id) == (1, 3, "9-0")


def test_an_entrys_id_says_when_it_arrived() -> None:
    entry = (b"1700000000123-4", {b"o": encode_outcomes(Outcomes("chat", "x", 1, 0, 1))})
    assert decode_news({"outcomes": [entry]}).outcomes[0].arrived_ms == 1_700_000_000_123
