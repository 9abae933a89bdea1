"""Read pairs of texts that people or test suites have labelled: one file SET.jsonl for each set.

A line is ``{"left": TEXT, "right": TEXT, "same": 1 | 0}``, with an optional ``kind`` and ``language`` (of two letters;
absent: English). ``same`` says whether the two texts mean the same. A file without ``same`` in its first line is left
out. The project ships no such file.
"""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Half = Literal["all", "first", "second"]


@dataclass(frozen=True, slots=True)
class LabelledPair:
    left: str
    right: str
    same: bool
    kind: str = ""
    language: str = "en"


def read_sets(folder: Path, most: int, seed: int, half: Half = "all") -> dict[str, list[LabelledPair]]:
    """Return the sets of a folder by name, each with at most ``most`` pairs, which are drawn with ``seed``.

    ``half``: draw only from this half of each set. The half of a pair depends only on its texts. Raises ValueError for
    a line that is not a labelled pair.
    """
    sets = {}
    for path in sorted(folder.glob("*.jsonl")):
        pairs = [pair for pair in _read(path) if half in ("all", _half_of(pair))]
        random.Random(f"{seed}/{path.stem}").shuffle(pairs)
        if {pair.same for pair in pairs[:most]} == {True, False}:
            sets[path.stem] = pairs[:most]
    return sets


def _half_of(pair: LabelledPair) -> Half:
    return "second" if zlib.crc32(f"{pair.left}\n{pair.right}".encode()) % 2 else "first"


def _read(path: Path) -> list[LabelledPair]:
    pairs: list[LabelledPair] = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            raw = json.loads(line)
            if not pairs and "same" not in raw:
                return []
            try:
                pairs.append(_labelled(raw))
            except (KeyError, TypeError) as error:
                raise ValueError(f"{path}:{number}: needs left, right, and same: 1 or 0 ({error!r})") from error
    return pairs


def _labelled(raw: dict[str, Any]) -> LabelledPair:
    same = {1: True, 0: False}[raw["same"]]
    return LabelledPair(raw["left"], raw["right"], same, raw.get("kind", ""), raw.get("language", "en"))


def in_english(pairs: Sequence[LabelledPair]) -> bool:
    return all(pair.language == "en" for pair in pairs)
