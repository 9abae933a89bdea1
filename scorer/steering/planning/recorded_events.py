"""Read the lines of a file for ``glidepath judge`` and ``calibrate``, and report keys that are missing or misspelt."""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from glidepath.errors import InputError
from glidepath.json_object_line import json_object
from glidepath.pair_scores import EXACT_CALL
from glidepath.status_and_decisions import Verdict
from scorer.steering.evidence.replay import MAX_LINE_BYTES

KEYS = (
    *("t", "side", "ok", "latency_ms", "ttft_ms", "agreement", "noise", "expected", "got", "defect", "preference"),
    *(EXACT_CALL, "exact", "correct", "feedback", "tokens"),
)
_SIMILAR = 0.72  # with this cutoff, latncy_ms and ttft count as misspelt, and tpot_ms counts as another tool's key
_SHOWN_CHARS = 40
# The beginning of a gate's name → sets of keys; events need the keys of one set. () if events have no key for it.
_KEYS_OF_GATES: dict[str, tuple[tuple[str, ...], ...]] = {
    "sameness_margin": (("agreement", "noise"),),
    "sameness": (("agreement",),),
    "preference": (("preference",),),
    "correctness_": (("correct", "expected", "got"),),
    "correctness": (("correct",), ("exact",), (EXACT_CALL,), ("expected", "got")),
    "recall_": (("expected", "got"),),
    "precision_": (("expected", "got"),),
    "latency_": (("latency_ms",),),
    "ttft_": (("ttft_ms",),),
    "per_token_": (("latency_ms", "tokens"),),
    "signal_": (),
}


@dataclass(slots=True)
class KeysSeen:
    """The keys and sides that occur in the lines of a file.

    - ``keys``: the known keys that have a value in at least one line
    - ``unknown``: the first unknown keys, in the order in which they occur, at most as many as there are known keys
    - ``sides``: the values of the key ``side``
    """

    keys: set[str] = field(default_factory=set)
    unknown: dict[str, None] = field(default_factory=dict)
    sides: set[str] = field(default_factory=set)

    def note(self, raw: Mapping[str, Any], where: str) -> None:
        """Add the keys of one line, which was parsed as ``raw``. ``where``: the file and the line number, for errors.

        Raises InputError if an unknown key resembles a known key that this line does not have.
        """
        for key, value in raw.items():
            if key in KEYS:
                if value is not None:
                    self.keys.add(key)
                continue
            near = next((known for known in _similar_keys(key) if known not in raw), None)
            if near is not None:
                raise InputError(f"{where}: {key}: unknown key, did you mean {near!r}? (allowed: {', '.join(KEYS)})")
            if len(self.unknown) < len(KEYS):
                self.unknown[key[:_SHOWN_CHARS]] = None
        if isinstance(raw.get("side"), str):
            self.sides.add(raw["side"])


@lru_cache(maxsize=1024)
def _similar_keys(key: str) -> tuple[str, ...]:
    if len(key) > _SHOWN_CHARS:
        return ()
    return tuple(difflib.get_close_matches(key.lower().replace("-", "_"), KEYS, n=len(KEYS), cutoff=_SIMILAR))


def read_object(line: bytes, where: str) -> dict[str, Any]:
    """Parse a line as a JSON object. ``where``: the file and the line number, for errors.

    Raises InputError if the line is too long or is not a JSON object.
    """
    return json_object(line, max_bytes=MAX_LINE_BYTES, where=where)


def checked(lines: Iterable[bytes], name: str, seen: KeysSeen) -> Iterator[bytes]:
    """Yield each line of the file ``name`` unchanged, after checking its keys and adding them to ``seen``.

    Raises InputError for a line that is not a JSON object or has a misspelt key (see ``KeysSeen.note``). Blank lines
    are not checked.
    """
    for number, line in enumerate(lines, start=1):
        if line.strip():
            where = f"{name}:{number}"
            seen.note(read_object(line, where), where)
        yield line


def number(raw: Mapping[str, Any], key: str, low: float, high: float, where: str) -> float | None:
    """Return the number that ``raw`` has at ``key``; None if the key is absent or its value is null.

    Raises InputError if the value is not a finite number in [low, high]. ``where``: the file and the line, for the
    error.
    """
    value = raw.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise InputError(f"{where}: {key}: must be a number (got {str(value)[:40]!r})")
    if not low <= value <= high:
        allowed = f"{low:g} to {high:g}" if high < math.inf else f"at least {low:g}"
        raise InputError(f"{where}: {key}: must be {allowed} (got {value:g})")
    return float(value)


def warnings(verdicts: Iterable[Verdict], seen: KeysSeen) -> list[str]:
    """Return warnings about a file: missing sides, gates that lack data to decide, and keys that are ignored."""
    verdicts = list(verdicts)
    gating = [v for v in verdicts if v.gating and not v.guard]
    found = [text for v in gating if (text := _lack(v.gate, seen))]
    found += [f"no event has the side {side}" for side in ("baseline", "candidate") if side not in seen.sides]
    if not gating:
        found.append(
            "no gate takes part in decisions, so the decision here is always hold; a ramp still moves by time and "
            "samples"
        )
    if "noise" in seen.keys and not any(v.gate == "sameness_margin" for v in verdicts):
        found.append("no gate uses noise: set the workload's shadow.same_side, and sameness_margin compares with it")
    if seen.unknown:
        found.append(f"ignored keys: {', '.join(seen.unknown)} (known: {', '.join(KEYS)})")
    return found


def _lack(gate: str, seen: KeysSeen) -> str:
    """Return a warning if a gate needs keys that no event of the file has; otherwise ""."""
    needed = next((keys for start, keys in _KEYS_OF_GATES.items() if gate.startswith(start)), None)
    if needed is None:
        return ""
    missing = [[key for key in keys if key not in seen.keys] for keys in needed]
    if not all(missing):
        return ""
    return f"{gate} can never pass here: no event has {' or '.join(' and '.join(keys) for keys in missing)}"
