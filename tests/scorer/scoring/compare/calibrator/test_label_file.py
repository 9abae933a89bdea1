"""Judged pairs are read in all three forms, and a wrong line is named."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from glidepath.errors import InputError
from scorer.scoring.compare.calibrator.label_file import LONGEST_LABEL, JudgedTexts, label_lines, read_judged


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


class Endless(io.RawIOBase):
    """A line without an end. It notes the most bytes that were asked for at once."""

    largest = 0

    def readline(self, size: int | None = -1) -> bytes:
        assert size is not None
        assert size >= 0
        self.largest = max(self.largest, size)
        return b"x" * size


def test_a_line_that_is_too_long_is_refused_before_it_is_read_whole() -> None:
    source = Endless()
    with pytest.raises(InputError, match=f"f:1: the line is longer than {LONGEST_LABEL} bytes"):
        read_judged(label_lines(source), "f")  # type: ignore[arg-type]
    assert source.largest == LONGEST_LABEL + 2


def test_a_line_of_the_greatest_length_is_read() -> None:
    line = json.dumps({"left": "a", "right": "b", "same": 1}).encode()
    file = io.BytesIO(line + b" " * (LONGEST_LABEL - len(line)) + b"\n" + line)
    assert len(read_judged(label_lines(file), "f")[0]) == 2


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
