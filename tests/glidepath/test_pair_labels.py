"""Labels in a real Redis: the last one of a pair counts, and their number is limited."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config.retention import RetentionSection
from glidepath.errors import InputError
from glidepath.pair_labels import Judgement, PairLabel, label_from_json, read_labels, store_label
from glidepath.redis_keys import WorkloadKeys

LABELS = st.builds(PairLabel, st.text(), st.sampled_from(Judgement), st.text(), st.integers(0, 2**53), st.text())


@given(LABELS)
def test_a_label_is_read_as_it_was_written(label: PairLabel) -> None:
    assert label_from_json(label.to_json()) == label


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pair_id": "a", "who": "b", "note": "", "at_ms": 1, "label": "x"}'])
def test_what_is_no_label_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not a label"):
        label_from_json(text)


async def test_a_later_label_replaces_an_earlier_one(redis_client: Any) -> None:
    for at_ms, judgement in ((1, Judgement.NOT), (2, Judgement.ACCEPTABLE)):
        await store_label(redis_client, "chat", RetentionSection(), PairLabel("a", judgement, "ann", at_ms))
    found = await read_labels(redis_client, "chat", 10)
    assert found == {"a": PairLabel("a", Judgement.ACCEPTABLE, "ann", 2)}


async def test_the_oldest_labels_go_and_are_counted(redis_client: Any) -> None:
    retention = RetentionSection(labels=2)
    removed = [
        await store_label(redis_client, "chat", retention, PairLabel(f"p{n}", Judgement.NOT, "ann", n))
        for n in range(4)
    ]
    assert removed == [0, 0, 1, 1]
    assert list(await read_labels(redis_client, "chat", 10)) == ["p3", "p2"]
    assert await redis_client.hlen(WorkloadKeys("chat").labels) == 2


async def test_an_unreadable_label_is_left_out(redis_client: Any) -> None:
    await store_label(redis_client, "chat", RetentionSection(), PairLabel("a", Judgement.UNSURE, "ann", 1))
    await redis_client.hset(WorkloadKeys("chat").labels, "b", "?")
    await redis_client.zadd(WorkloadKeys("chat").label_times, {"b": 2, "gone": 3})
    assert list(await read_labels(redis_client, "chat", 10)) == ["a"]
