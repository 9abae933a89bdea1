"""Reading the two stored fields of a request's feedback, even if they are damaged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.feedback import FeedbackKind, GivenFeedback
from glidepath.sides import Side
from glidepath.stored_feedback import FeedbackNote, label_text, note_of, score_text


@given(
    st.sampled_from(Side),
    st.none() | st.floats(0, 1),
    st.sampled_from(FeedbackKind),
    st.text(max_size=50),
    st.integers(0, 2**45),
)
def test_what_is_stored_is_read_again(
    side: Side, score: float | None, kind: FeedbackKind, label: str, at_ms: int
) -> None:
    feedback = GivenFeedback("r", score, kind=kind, label=label)
    mark = side.value[0].encode()
    fields = [
        mark + text.encode("utf-8", "replace") if text else None
        for text in (score_text(feedback, "u", at_ms), label_text(feedback, "u", at_ms))
    ]
    found = note_of(*fields)
    if score is None and not label:
        assert found is None
    else:
        shown = kind if score is not None else FeedbackKind.SCORE
        assert found == FeedbackNote(side, at_ms, score, shown, label)


@pytest.mark.parametrize(
    "damaged", [b"", b"c", b"c{", b"c[]", b"c{}", b'x{"at_ms": 1, "score": 1}', b"c" + b"[" * 5000]
)
def test_a_damaged_field_shows_nothing(damaged: bytes) -> None:
    assert note_of(damaged, None) is None
    assert note_of(None, damaged) is None
