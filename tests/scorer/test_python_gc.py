"""Garbage collections are rare in a scorer."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from scorer.python_gc import limit_garbage_collection


@pytest.fixture
def collections() -> Iterator[list[int]]:
    """Yield a list that gets the generation of each collection after the scorer's setup."""
    before, seen = gc.get_threshold(), []

    def note(phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            seen.append(info["generation"])

    limit_garbage_collection()
    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)
    gc.unfreeze()
    gc.set_threshold(*before)


def test_the_objects_of_a_tick_lead_to_no_collection(collections: list[int]) -> None:
    objects = [[number] for number in range(7_000)]
    assert len(objects) == 7_000
    assert collections == []


def test_garbage_is_still_collected(collections: list[int]) -> None:
    for _ in range(20_000):
        cycle: list[Any] = []
        cycle.append(cycle)
    assert 0 in collections
