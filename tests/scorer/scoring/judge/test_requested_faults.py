"""What a request asks for is found in time that grows with its length, whatever it holds."""

from __future__ import annotations

import time

import pytest

from scorer.scoring.judge.requested_faults import Requested

CPU_S = 10.0  # much more than the milliseconds that it takes; a search that begins at each digit anew takes minutes


@pytest.mark.parametrize("prompt", ["Say it 3 times", "Say it 100 times", "Sag es 12 mal", "Sag es 12mal"])
def test_a_number_of_repetitions_is_a_request_for_them(prompt: str) -> None:
    assert Requested(prompt).repetition


@pytest.mark.parametrize("prompt", ["What times?", "It is 12 malls away"])
def test_other_numbers_are_none(prompt: str) -> None:
    assert not Requested(prompt).repetition


@pytest.mark.parametrize("piece", ["1", "1 ", '"', "say ", "repea", "\n"])
def test_a_prompt_of_one_repeated_piece_is_searched_once(piece: str) -> None:
    requested = Requested(piece * 200_000)
    began = time.process_time()
    assert [requested.repetition, requested.language, requested.broken] == [False] * 3
    assert time.process_time() - began < CPU_S
