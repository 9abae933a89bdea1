"""Judged pairs are read in all three forms, and a wrong line is named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from glidepath.errors import InputError
from scorer.scoring.compare.calibrator.label_file import JudgedTexts, read_judged


def read(*lines: Any) -> tuple[list[JudgedTexts], int]:
    return read_judged([line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines], "f.jsonl")


@pytest.mark.parametrize(
    ("judgement", "same"),
    [
        ({"same": 1}, True),
        ({"same": 0}, False),
        ({"acceptable": True}, True),
        ({"acceptable": 0}, False),
        ({"label": "acceptable"}, True),
        ({"label": "not"}, False),
    ],
)
def test_a_judgement_has_three_forms(judgement: dict[str, Any], same: bool) -> None:
    assert read({"left": "a", "right": "b", **judgement, "id": "7", "agreement": 0.5}) == (
        [JudgedTexts("a", "b", same)],
        0,
    )


def test_lines_without_a_judgement_are_counted_and_blank_lines_are_not() -> None:
    assert read({"left": "a", "right": "b", "label": "unsure"}, b"\n", {"label": None}) == ([], 2)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", r"f\.jsonl:1: is not JSON"),
        (b"[" * 100_000, r"f\.jsonl:1: is not JSON"),
        ([1], "must be an object"),
        ({"left": "a", "right": "b"}, "needs exactly one of same, acceptable and label"),
        ({"left": "a", "right": "b", "same": 1, "label": "not"}, "exactly one"),
        ({"left": "a", "right": "b", "same": 0.5}, "same: must be 1 or 0"),
        ({"left": "a", "right": "b", "same": "1"}, "same: must be 1 or 0"),
        ({"left": "a", "right": "b", "label": "good"}, "label: must be acceptable, not, unsure or null"),
        ({"left": "a", "right": "b", "label": []}, "label: must be acceptable"),
        ({"id": "pair-7", "same": 1}, "pairs export` writes them for the pair 'pair-7'"),
        ({"left": "a", "right": None, "same": 1}, "left and right must be the texts"),
    ],
)
def test_a_wrong_line_is_an_error_that_names_it(line: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(line)
