"""The signals of free text: their names have weights, and each says where the texts differ."""

from __future__ import annotations

import pytest

from glidepath.config.comparison import DEFAULT_WEIGHTS
from glidepath.config.gates import FactSignal
from scorer.scoring.compare.signals.document_pair import DocumentPair
from scorer.scoring.compare.tasks.free_text import FACTS, OTHERS, measured
from scorer.scoring.compare.text.parsed_document import Document
from tests.support.comparison_cases import compare_texts

LEFT = "The **plan** costs 12 euros. It does not end in May.\n\nMs Alba signs it. The answer is 12."
RIGHT = "The **plan** costs 13 euros. It does end in May.\n\nMs Berg signs it. The answer is 13."


def test_each_signal_has_one_name_and_a_weight() -> None:
    answer = Document("The answer is 5.", logprobs=(-0.1,))
    found = [signal.name for signal in measured((*FACTS, *OTHERS), DocumentPair(answer, answer))]
    assert sorted(found) == sorted(DEFAULT_WEIGHTS)


def test_the_signals_that_gates_know_are_facts() -> None:
    facts = {signal.name for signal in measured(FACTS, DocumentPair(Document(LEFT), Document(RIGHT)))}
    assert set(FactSignal.__args__) <= facts


@pytest.mark.parametrize(
    ("name", "left", "right"),
    [("numbers", "12 euros", "13 euros"), ("names", "Alba", "Berg"), ("final_answer", "12", "13")],
)
def test_a_difference_is_located_in_both_texts(name: str, left: str, right: str) -> None:
    spans = compare_texts(LEFT, RIGHT).spans[name]
    shown = [(LEFT if span.left else RIGHT)[span.start : span.end] for span in spans]
    assert shown == [left, right]


def test_an_insertion_is_located_in_the_text_that_has_it() -> None:
    (span,) = compare_texts(LEFT, LEFT.replace(" not", "")).spans["negation"]
    assert span.left
    assert LEFT[span.start : span.end] == "not"
