"""The form of feedback: accepted values, and the short forms in which they are stored."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.errors import InputError
from glidepath.feedback import (
    Feedback,
    FeedbackKind,
    FeedbackMatch,
    GivenFeedback,
    decode_feedback,
    parse_line,
    request_digest,
    user_digest,
)
from glidepath.sides import Side

UUID = "8f14e45f-ceea-467a-9575-6f1f0d3d1a2b"


@pytest.mark.parametrize(("score", "expected"), [(0, 0.0), (1, 1.0), (0.25, 0.25), ("up", 1.0), ("down", 0.0)])
def test_a_score_is_a_number_from_0_to_1_or_a_thumb(score: object, expected: float) -> None:
    line = json.dumps({"request_id": "r", "score": score, "user": "ann", "workload": "chat"}).encode()
    kind = FeedbackKind.THUMBS if isinstance(score, str) else FeedbackKind.SCORE
    assert parse_line(line) == GivenFeedback("r", expected, "ann", "chat", kind)
    assert parse_line(json.dumps({"request_id": "r", "score": score, "user": None}).encode()).user == ""


@pytest.mark.parametrize(
    ("raw", "kind", "expected"),
    [
        ({"thumbs": "up"}, FeedbackKind.THUMBS, 1.0),
        ({"thumbs": "down", "score": None}, FeedbackKind.THUMBS, 0.0),
        ({"success": True}, FeedbackKind.SUCCESS, 1.0),
        ({"success": False}, FeedbackKind.SUCCESS, 0.0),
        ({"label": "too long"}, FeedbackKind.SCORE, None),
    ],
)
def test_thumbs_success_and_a_label_are_feedback(
    raw: dict[str, object], kind: FeedbackKind, expected: float | None
) -> None:
    given = parse_line(json.dumps({"request_id": "r", **raw}).encode())
    assert (given.kind, given.score, given.label) == (kind, expected, raw.get("label", ""))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"", "not JSON"),
        (b"[]", "must be a JSON object with the keys request_id, score, thumbs, success, label, user, workload"),
        (b"[" * 5000, "not JSON"),
        (b"\xff", "not JSON"),
        (b'{"score": 1}', "request_id: is missing"),
        (b'{"request_id": "", "score": 1}', "request_id: is missing"),
        (b'{"request_id": 5, "score": 1}', "request_id: must be a printable string of at most 200 characters"),
        (b'{"request_id": "a\\nb", "score": 1}', "request_id: must be a printable"),
        (b'{"request_id": "' + b"r" * 201 + b'", "score": 1}', "request_id: must be a printable"),
        (
            b'{"request_id": "r"}',
            "score: is missing (a number from 0 to 1, up or down; or thumbs, success, or a label)",
        ),
        (b'{"request_id": "r", "score": 5}', "score: must be a number from 0 to 1, up or down (got '5')"),
        (b'{"request_id": "r", "score": -1}', "score: must be"),
        (b'{"request_id": "r", "score": true}', "score: must be"),
        (b'{"request_id": "r", "score": "good"}', "score: must be"),
        (b'{"request_id": "r", "score": NaN}', "score: must be"),
        (b'{"request_id": "r", "score": 1' + b"0" * 400 + b"}", "score: must be"),
        (b'{"request_id": "r", "thumbs": 1}', "thumbs: must be up or down (got '1')"),
        (b'{"request_id": "r", "success": "yes"}', "success: must be true or false (got 'yes')"),
        (b'{"request_id": "r", "success": true, "thumbs": "up"}', "success: give only one of score, thumbs, success"),
        (b'{"request_id": "r", "label": "' + b"l" * 201 + b'"}', "label: must be a printable string of at most 200"),
        (b'{"request_id": "r", "label": "  "}', "score: is missing"),
        (b'{"request_id": "r", "score": 1, "user": {}}', "user: must be a printable"),
        (b'{"request_id": "r", "score": 1, "comment": "x"}', "comment: unknown key (allowed: request_id, score"),
        (b'{"request_id": "r", "score": 1}' + b" " * 10_000, "longer than 10000 bytes"),
    ],
)
def test_anything_else_is_refused_with_what_is_allowed(line: bytes, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_line(line)
    assert said in str(caught.value)


@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_any_stored_text_is_feedback_or_an_input_error(data: bytes) -> None:
    try:
        found = decode_feedback(data)
    except InputError:
        return
    assert 0 <= found.score <= 1


def test_stored_feedback_says_for_which_side_it_counts() -> None:
    found = decode_feedback(b'["candidate",0.5,1700,"ab"]')
    assert found == Feedback(FeedbackMatch.CANDIDATE, 0.5, 1700, "ab")
    assert {match: match.side for match in FeedbackMatch} == {
        FeedbackMatch.BASELINE: Side.BASELINE,
        FeedbackMatch.CANDIDATE: Side.CANDIDATE,
        FeedbackMatch.UNKNOWN: None,
        FeedbackMatch.REPEATED: None,
        FeedbackMatch.NOTED: None,
    }


def test_the_digit_that_envoy_may_replace_in_a_uuid_does_not_matter() -> None:
    traced = UUID[:14] + "9" + UUID[15:]
    assert request_digest(traced) == request_digest(UUID)
    assert request_digest(UUID[:-1] + "c") != request_digest(UUID)
    assert request_digest("my-own-id-0001") != request_digest("my-own-id-9001")


def test_a_user_is_stored_as_a_digest_of_one_workload() -> None:
    assert user_digest("chat", "") == ""
    assert user_digest("chat", "ann") == user_digest("chat", "ann") != user_digest("sql", "ann")
    assert "ann" not in user_digest("chat", "ann")
