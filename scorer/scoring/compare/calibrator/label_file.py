"""Read a file of pairs that people have judged: one JSON object a line, in the format of ``glidepath pairs export``.

A line has the two answers, ``left`` (the baseline's) and ``right``, and the judgement: ``same`` or ``acceptable`` (1 or
0), or ``label`` ("acceptable", "not" or "unsure"). Lines with "unsure" or null are skipped. If the same two answers
were judged several times, the newest judgement counts: by ``labelled_at_ms`` if both lines have it, otherwise the later
line.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from glidepath.errors import InputError
from glidepath.json_object_line import json_object

MOST_LABELS = 20_000
LONGEST_LABEL = 16 * 2**20  # bytes of a line: two answers of 4 MiB (capture.max_body) with escapes
_LABELS: dict[object, bool | None] = {"acceptable": True, "not": False, "unsure": None, None: None}


@dataclass(frozen=True, slots=True)
class JudgedTexts:
    """Two answers, and whether a person accepts the answer ``right`` in place of the answer ``left``."""

    left: str
    right: str
    same: bool


@dataclass(frozen=True, slots=True)
class Judgements:
    """The judged pairs of a file. Each pair occurs once.

    ``skipped``: the number of lines without a judgement. ``repeated``: the number of older judgements of the same
    pairs.
    """

    pairs: tuple[JudgedTexts, ...]
    skipped: int = 0
    repeated: int = 0


@dataclass(frozen=True, slots=True)
class _Line:
    """A judgement of two answers.

    ``same``: None if the person is unsure. ``at_ms``: the time of the judgement, if the line has it.
    """

    texts: tuple[str, str]
    same: bool | None
    at_ms: float | None

    def replaces(self, earlier: _Line) -> bool:
        """Whether this line, which comes later in the file than ``earlier``, is also the newer judgement."""
        return self.at_ms is None or earlier.at_ms is None or self.at_ms >= earlier.at_ms


def label_lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file. A line that is too long is cut, so that ``read_judged`` refuses it."""
    return iter(lambda: file.readline(LONGEST_LABEL + 2), b"")


def read_judged(lines: Iterable[bytes], where: str) -> Judgements:
    """Return the judged pairs. Raises InputError for a line that is not valid.

    ``where``: the name of the file, for errors.
    """
    newest: dict[tuple[str, str], _Line] = {}
    skipped = repeated = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        one = _judged(line, f"{where}:{number}")
        if one is None:
            skipped += 1
            continue
        before = newest.get(one.texts)
        repeated += before is not None
        if before is None or one.replaces(before):
            newest[one.texts] = one
        if len(newest) > MOST_LABELS:
            raise InputError(f"{where}: has more than {MOST_LABELS} judged pairs; give fewer")
    judged = tuple(JudgedTexts(*one.texts, one.same) for one in newest.values() if one.same is not None)
    return Judgements(judged, skipped + len(newest) - len(judged), repeated)


def _judged(line: bytes, where: str) -> _Line | None:
    wanted = "an object with left, right, and same, acceptable or label"
    raw = json_object(line, max_bytes=LONGEST_LABEL, where=where, wanted=wanted)
    same, unsure = _judgement(raw, where), raw.get("label") == "unsure"
    left, right = raw.get("left"), raw.get("right")
    if isinstance(left, str) and isinstance(right, str):
        return _Line((left, right), same, _time(raw, where)) if unsure or same is not None else None
    if same is None:
        return None
    raise InputError(
        f"{where}: left and right must be the texts of both answers; `glidepath pairs export` writes them"
        + (f" for the pair {raw['id']!r}" if "id" in raw else "")
    )


def _time(raw: dict[str, Any], where: str) -> float | None:
    at_ms = raw.get("labelled_at_ms")
    if at_ms is None or (isinstance(at_ms, int | float) and not isinstance(at_ms, bool) and not math.isnan(at_ms)):
        return at_ms
    raise InputError(f"{where}: labelled_at_ms: must be a number of milliseconds (got {at_ms!r})")


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
