"""Read a file of pairs that people have judged: one JSON object a line, such as ``glidepath pairs export`` writes.

A line has the two answers, ``left`` (the baseline's) and ``right``, and the judgement: ``same`` or ``acceptable`` (1 or
0), or ``label`` ("acceptable", "not", or "unsure", which is skipped, as is null).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from glidepath.errors import InputError, error_text

MOST_LABELS = 20_000
LONGEST_LABEL = 16 * 2**20  # bytes of a line: two answers of 4 MiB (capture.max_body) with escapes
_LABELS: dict[object, bool | None] = {"acceptable": True, "not": False, "unsure": None, None: None}


@dataclass(frozen=True, slots=True)
class JudgedTexts:
    """Two answers, and whether a person accepts the right one in place of the left one."""

    left: str
    right: str
    same: bool


def label_lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file. Of a line that is too long, only a part is read; ``read_judged`` then refuses it."""
    return iter(lambda: file.readline(LONGEST_LABEL + 2), b"")


def read_judged(lines: Iterable[bytes], where: str) -> tuple[list[JudgedTexts], int]:
    """Return the judged pairs, and how many lines have no judgement. Raises InputError for a line that is not valid.

    ``where``: the name of the file, for errors.
    """
    found: list[JudgedTexts] = []
    skipped = 0
    for number, line in enumerate(lines, start=1):
        if len(line) > LONGEST_LABEL + 1:
            raise InputError(f"{where}:{number}: the line is longer than {LONGEST_LABEL} bytes")
        if not line.strip():
            continue
        one = _judged(line, f"{where}:{number}")
        if one is None:
            skipped += 1
        else:
            found.append(one)
        if len(found) > MOST_LABELS:
            raise InputError(f"{where}: has more than {MOST_LABELS} judged pairs; give fewer")
    return found, skipped


def _judged(line: bytes, where: str) -> JudgedTexts | None:
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: is not JSON: {error_text(error)}") from error
    if not isinstance(raw, dict):
        raise InputError(f"{where}: must be an object with left, right, and same, acceptable or label")
    same = _judgement(raw, where)
    if same is None:
        return None
    left, right = raw.get("left"), raw.get("right")
    if not isinstance(left, str) or not isinstance(right, str):
        raise InputError(
            f"{where}: left and right must be the texts of both answers; `glidepath pairs export` writes them"
            + (f" for the pair {raw['id']!r}" if "id" in raw else "")
        )
    return JudgedTexts(left, right, same)


def _judgement(raw: dict[str, Any], where: str) -> bool | None:
    keys = [key for key in ("same", "acceptable", "label") if key in raw]
    if len(keys) != 1:
        raise InputError(f"{where}: needs exactly one of same, acceptable and label (got {', '.join(keys) or 'none'})")
    value = raw[keys[0]]
    if keys[0] == "label":
        if isinstance(value, str | None) and value in _LABELS:
            return _LABELS[value]
        raise InputError(f"{where}: label: must be acceptable, not, unsure or null (got {value!r})")
    if value not in (0, 1) or not isinstance(value, int | float):
        raise InputError(f"{where}: {keys[0]}: must be 1 or 0 (got {value!r})")
    return bool(value)
