"""A short search of every fuzz target. ``make fuzz`` searches for longer."""

from __future__ import annotations

import pytest

from tests.fuzz.search import search
from tests.fuzz.targets import TARGETS, Target


@pytest.mark.slow
@pytest.mark.parametrize("name", list(TARGETS))
def test_a_reader_of_network_input_raises_only_the_errors_that_it_documents(name: str) -> None:
    search(TARGETS[name], 100, seeded=True)


def test_a_reader_that_fails_is_found() -> None:
    def fails_on_a_bracket(data: bytes) -> None:
        assert b"[" not in data

    with pytest.raises(AssertionError):
        search(Target(fails_on_a_bracket, TARGETS["envoy-admin"].arguments), 100, seeded=True)
