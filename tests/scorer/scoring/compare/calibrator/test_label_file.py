"""Judged pairs are read in all three forms, and a wrong line is named."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from glidepath.errors import InputError
from scorer.scoring.compare.calibrator.label_file import (
    LONGEST_LABEL,
    JudgedTexts,
    Judgements,
    label_lines,
    read_judged,
)


def read(*lines: Any) -> Judgements:
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
    assert read({"left": "a", "right": "b", **judgement, "id": "7", "agreement": 0.5}) == Judgements(
        (JudgedTexts("a", "b", same),)
    )


class Endless(io.RawIOBase):
    """A file with one endless line. It records the largest number of bytes that were requested at once."""

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
    assert read_judged(label_lines(file), "f") == Judgements((JudgedTexts("a", "b", True),), repeated=1)


def test_lines_without_a_judgement_are_counted_and_blank_lines_are_not() -> None:
    assert read({"left": "a", "right": "b", "label": "unsure"}, b"\n", {"label": None}) == Judgements((), skipped=2)


def judged(label: Any, at_ms: int | None = None, right: str = "b") -> dict[str, Any]:
    return {"left": "a", "right": right, "label": label, "labelled_at_ms": at_ms}


@pytest.mark.parametrize(
    ("lines", "same"),
    [
        ([judged("not"), judged("acceptable")], True),
        ([judged("acceptable"), judged("not")], False),
        ([judged("acceptable", 2000), judged("not", 1000)], True),  # as `pairs export` writes them: the newest first
        ([judged("acceptable", 1000), judged("not", 2000)], False),
        ([judged("acceptable", 2000), judged("not")], False),
        ([judged("acceptable", 1000), judged("unsure", 2000)], None),
        ([judged("acceptable", 2000), judged("unsure", 1000)], True),
    ],
)
def test_of_two_judgements_of_a_pair_the_newest_counts(lines: list[dict[str, Any]], same: bool | None) -> None:
    found = read(*lines)
    assert [one.same for one in found.pairs] == ([] if same is None else [same])
    assert (found.repeated, found.skipped) == (1, int(same is None))


def test_a_pair_without_a_label_replaces_none_and_another_right_answer_is_another_pair() -> None:
    found = read(judged("not"), judged(None), judged("acceptable", right="c"))
    assert found == Judgements((JudgedTexts("a", "b", False), JudgedTexts("a", "c", True)), skipped=1)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", r"f\.jsonl:1: not JSON"),
        (b"[" * 100_000, r"f\.jsonl:1: not JSON"),
        ([1], "must be an object"),
        ({"left": "a", "right": "b"}, "needs exactly one of same, acceptable and label"),
        ({"left": "a", "right": "b", "same": 1, "label": "not"}, "exactly one"),
        ({"left": "a", "right": "b", "same": 0.5}, "same: must be 1 or 0"),
        ({"left": "a", "right": "b", "same": "1"}, "same: must be 1 or 0"),
        ({"left": "a", "right": "b", "label": "good"}, "label: must be acceptable, not, unsure or null"),
        ({"left": "a", "right": "b", "label": []}, "label: must be acceptable"),
        (judged("not", True), "labelled_at_ms: must be a number"),
        ({**judged("not"), "labelled_at_ms": "now"}, "labelled_at_ms: must be a number"),
        ({"id": "pair-7", "same": 1}, "pairs export` writes them for the pair 'pair-7'"),
        ({"left": "a", "right": None, "same": 1}, "left and right must be the texts"),
    ],
)
def test_a_wrong_line_is_an_error_that_names_it(line: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(line)
