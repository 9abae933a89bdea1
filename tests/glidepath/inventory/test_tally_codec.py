"""Groups can be read back from their bytes, and damaged bytes raise an error."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glidepath import zstd
from glidepath.call_classes import CallClass
from glidepath.inventory.tally import GroupKey, Shape, Source, Tally
from glidepath.inventory.tally_codec import UnreadableTallyError, decode_group, encode_group

NUMBERS = st.integers(0, 2**53)
BUCKETS = st.dictionaries(st.integers(-500, 1600), NUMBERS, max_size=8)
NAMES = st.text(max_size=20)
KEYS = st.builds(GroupKey, st.sampled_from(Source), NAMES, st.sampled_from(CallClass), NAMES, NAMES)
TALLIES = st.builds(
    Tally,
    requests=NUMBERS,
    errors=NUMBERS,
    repeats=NUMBERS,
    latency=BUCKETS,
    ttft=BUCKETS,
    shapes=st.dictionaries(NAMES, st.builds(Shape, NUMBERS, BUCKETS, BUCKETS), max_size=3),
    usage=st.dictionaries(NAMES, st.lists(NUMBERS, min_size=9, max_size=9), max_size=3),
    backends=st.dictionaries(NAMES, NUMBERS, max_size=3),
)


@settings(max_examples=50)
@given(KEYS, TALLIES)
def test_what_is_written_is_read(key: GroupKey, tally: Tally) -> None:
    assert decode_group(encode_group(key, tally)) == (key, tally)


@settings(max_examples=50)
@given(TALLIES, TALLIES)
def test_a_sum_has_the_counts_of_both(one: Tally, other: Tally) -> None:
    requests, buckets = one.requests + other.requests, sum(one.latency.values()) + sum(other.latency.values())
    one.add(other)
    assert (one.requests, sum(one.latency.values())) == (requests, buckets)


@pytest.mark.parametrize(
    "data", [b"", b"x", zstd.compress(b"{}"), zstd.compress(b'{"form": 2}'), zstd.compress(b"[" * 5000)]
)
def test_damage_is_an_error_of_its_own(data: bytes) -> None:
    with pytest.raises(UnreadableTallyError):
        decode_group(data)


def test_a_bomb_is_not_unpacked() -> None:
    with pytest.raises(UnreadableTallyError, match="too long"):
        decode_group(zstd.compress(b" " * 2**24))
