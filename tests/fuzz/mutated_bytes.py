"""A Hypothesis strategy for damaged input: valid examples with bytes replaced, repeated, removed and joined."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

_PLACES = st.integers(0, 4_000)
# Pieces that change the meaning of JSON, event streams, varints and UTF-8.
_PIECES = (
    b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"null", b"1e999", b"-0", b"NaN", b"\\ud800", b"\n\n", b"\r\n",
    b"data: ", b"event: ", b"[DONE]", b"\x00", b"\xff" * 9 + b"\x01", b"\x80", b"\xed\xa0\x80", b"\xe2\x80\xa8",
    b"\xef\xbb\xbf", b"0" * 400, b"[" * 2_000, b"Aa " * 300,
)  # fmt: skip


def mutated(examples: Sequence[bytes]) -> SearchStrategy[bytes]:
    """Return a strategy for arbitrary bytes, and for ``examples`` after up to twelve changes."""
    pieces = st.sampled_from(_PIECES) | st.binary(max_size=12) | st.sampled_from(examples)
    changes = st.lists(st.tuples(_PLACES, _PLACES, pieces), max_size=12)
    return st.builds(_changed, st.sampled_from(examples), changes) | st.binary(max_size=300)


def _changed(data: bytes, changes: Sequence[tuple[int, int, bytes]]) -> bytes:
    """Return ``data`` after the changes, each of which is (position, number of bytes to remove, bytes to insert)."""
    for at, size, piece in changes:
        at %= len(data) + 1
        data = data[:at] + piece + data[at + size % 20 :]
    return data
