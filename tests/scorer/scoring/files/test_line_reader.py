"""Read lines from a pipe."""

from __future__ import annotations

import io
import os

from hypothesis import given
from hypothesis import strategies as st

from scorer.scoring.files.line_reader import PipeLines


@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(1, 30))
def test_a_pipe_and_a_file_have_the_same_lines(pieces: list[bytes], limit: int) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb", buffering=0) as pipe:
        for piece in pieces:
            pipe.write(piece)
    lines, expected = PipeLines(reading), io.BytesIO(b"".join(pieces))
    while True:
        assert lines.ready()
        found = lines.readline(limit)
        assert found == expected.readline(limit)
        if not found:
            break
    os.close(reading)
