"""Tests of the demo's prepared answers and of the faults that spoil them."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from glidepath.sides import Side
from glidepath_ops.demo.injected_faults import InjectedFault, garble, spoil
from glidepath_ops.demo.written_answers import answer, pieces, texts


def test_every_question_has_an_answer_in_two_wordings() -> None:
    assert len(texts()) == 40
    assert len({text.prompt for text in texts()}) == 40
    assert all(text.first != text.second for text in texts())


def test_both_wordings_give_the_same_numbers() -> None:
    for text in texts():
        numbers = [
            sorted(w.strip(".,:") for w in side.split() if any(c.isdigit() for c in w))
            for side in (text.first, text.second)
        ]
        assert numbers[0] == numbers[1], text.prompt


def test_an_answer_belongs_to_its_question() -> None:
    text = texts()[0]
    rng = random.Random(1)
    assert {answer(text.prompt, Side.CANDIDATE, rng) for _ in range(40)} == {text.first, text.second}
    assert answer("something else", Side.CANDIDATE, random.Random(1)).startswith("This demo")


@given(st.text(max_size=300))
def test_the_pieces_concatenate_to_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


def test_a_spoiled_answer_differs_from_the_good_one() -> None:
    rng, good = random.Random(3), texts()[0].first
    others = [text.first for text in texts()[1:]]
    spoiled = [spoil(good, others, rng) for _ in range(60)]
    assert good not in spoiled
    assert set(spoiled) & set(others)
    assert any("sorry" in text or "apologize" in text for text in spoiled)
    assert garble(good, rng) != good


def test_the_faults_are_the_command_lines_values() -> None:
    assert [fault.value for fault in InjectedFault] == ["none", "errors", "latency", "quality", "body"]
