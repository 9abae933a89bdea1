"""Labelled pairs are read by set, drawn repeatably, and divided into two halves by their texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.labelled_pairs import read_sets


def write(folder: Path, name: str, lines: list[dict[str, object]]) -> None:
    (folder / f"{name}.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + "\n")


def lines(count: int) -> list[dict[str, object]]:
    return [{"left": f"text {i}", "right": f"words {i}", "same": i % 2, "kind": "k"} for i in range(count)]


def test_a_draw_is_repeatable_and_depends_on_the_seed(tmp_path: Path) -> None:
    write(tmp_path, "one", lines(60))
    drawn = read_sets(tmp_path, 20, seed=1)["one"]
    assert drawn == read_sets(tmp_path, 20, seed=1)["one"]
    assert drawn != read_sets(tmp_path, 20, seed=2)["one"]
    assert len(drawn) == 20
    assert drawn[0].kind == "k"


def test_the_halves_are_disjoint_and_complete(tmp_path: Path) -> None:
    write(tmp_path, "one", lines(60))
    halves = [set(read_sets(tmp_path, 100, 1, half)["one"]) for half in ("first", "second")]
    assert not halves[0] & halves[1]
    assert halves[0] | halves[1] == set(read_sets(tmp_path, 100, 1)["one"])
    assert min(map(len, halves)) > 15


def test_a_file_without_labels_or_with_one_kind_of_label_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, "unlabelled", [{"left": "a", "right": "b"}])
    write(tmp_path, "only_same", [{"left": f"a{i}", "right": "b", "same": 1} for i in range(9)])
    write(tmp_path, "two", lines(20))
    assert list(read_sets(tmp_path, 20, 1)) == ["two"]


def test_a_wrong_line_is_named_with_its_place(tmp_path: Path) -> None:
    write(tmp_path, "one", [*lines(3), {"left": "a", "right": "b", "same": "yes"}])
    with pytest.raises(ValueError, match=r"one\.jsonl:4: needs left, right, and same"):
        read_sets(tmp_path, 20, 1)
