"""Messages on the pipe to the scoring process."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scorer.scoring.worker.scoring_process.pipe_messages import LENGTH, pack, unpack


@given(st.dictionaries(st.sampled_from("abc"), st.text() | st.integers()), st.lists(st.binary(max_size=50), max_size=4))
def test_unpack_returns_the_packed_message(header, blobs):
    frame = pack(header, blobs)
    assert LENGTH.unpack(frame[: LENGTH.size])[0] == len(frame) - LENGTH.size
    assert unpack(frame[LENGTH.size :]) == (header, blobs)
