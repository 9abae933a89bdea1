"""The lines of an exported data set, against their description."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from glidepath.pair_labels import Judgement, PairLabel
from glidepath.pair_scores import ScoredPair
from glidepath.pairs import PairKind
from glidepath_ops.pairs.pair_dataset import line_of, record_of
from tests.support.answer_pairs import pair
from tests.support.evidence_builders import workload_of

CHAT = workload_of()
RESULT = ScoredPair("p1", "chat", PairKind.CROSS, 5000, 5050, True, agreement=0.25, flags=("numbers",))
LABEL = PairLabel("p1", Judgement.NOT, "ann@x", 7, "wrong")
REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "pair-dataset.md"


def test_a_line_has_both_texts_and_the_label() -> None:
    record = json.loads(line_of(record_of(CHAT, pair("p1"), RESULT, LABEL)))
    assert (record["left"], record["right"], record["label"]) == ("Paris.", "It is Paris.", "not")
    assert (record["labelled_by"], record["labelled_at_ms"], record["note"]) == ("ann@x", 7, "wrong")
    assert (record["prompt"], record["agreement"], record["flags"]) == ("The capital of France?", 0.25, ["numbers"])
    assert record["baseline"]["backend"] == "cloud"


def test_every_line_has_the_fields_that_the_reference_describes() -> None:
    described = set(re.findall(r"^\| `(\w+)`", REFERENCE.read_text(), re.MULTILINE))
    for record in (
        record_of(CHAT, pair("p1"), RESULT, LABEL),
        record_of(CHAT, None, RESULT, None),
        record_of(CHAT, pair("p1"), None, None),
    ):
        assert set(record) == described


def test_the_texts_without_bodies_and_the_scores_without_a_result_are_null() -> None:
    bare = record_of(CHAT, None, RESULT, None)
    assert (bare["id"], bare["left"], bare["right"], bare["prompt"], bare["label"]) == ("p1", None, None, None, None)
    assert record_of(CHAT, pair("p1"), None, None)["agreement"] is None


def test_any_text_makes_one_line() -> None:
    line = line_of(record_of(CHAT, pair("p1", "a\nb\u2028c\ud800", "\x00\xff"), RESULT, None))
    assert line.count(b"\n") == 1
    assert json.loads(line)["left"] == "a\nb\u2028c\ufffd"


def test_a_line_has_no_character_that_controls_a_terminal() -> None:
    texts = "a\x9b31mb", "c\u202ed\u2066e"
    line = line_of(record_of(CHAT, pair("p1", *texts), RESULT, None))
    assert not set(line.decode()) & set("\x9b\u202e\u2066")
    assert (json.loads(line)["left"], json.loads(line)["right"]) == texts


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_null(number: float) -> None:
    facts = replace(RESULT.baseline, total_ms=number)
    result = replace(RESULT, agreement=number, signals={"numbers": number, "names": 0.5}, baseline=facts)
    record = json.loads(line_of(record_of(CHAT, None, result, None)), parse_constant=pytest.fail)
    assert (record["agreement"], record["signals"]) == (None, {"numbers": None, "names": 0.5})
    assert record["baseline"]["total_ms"] is None
