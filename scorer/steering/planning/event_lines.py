"""Lines of events as ``glidepath judge`` and ``calibrate`` take them: which keys they have, and which nearly."""

from __future__ import annotations

import difflib
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from glidepath.errors import InputError
from glidepath.records import Verdict

KEYS = ("t", "side", "ok", "latency_ms", "ttft_ms", "agreement", "noise", "expected", "got")
MAX_LINE_BYTES = 1_000_000
_LIKE = 0.72  # latncy_ms and ttft are slips; tpot_ms is a key of somebody else's
_LONGEST = 40
# How a gate's name begins → what an event must have for it; () where an event has no place for it.
_FEEDS: dict[str, tuple[str, ...]] = {
    "quality_margin": ("agreement", "noise"),
    "quality": ("agreement",),
    "recall_": ("expected", "got"),
    "precision_": ("expected", "got"),
    "latency_": ("latency_ms",),
    "ttft_": ("ttft_ms",),
    "per_token_": (),
    "signal_": (),
}


@dataclass(slots=True)
class Seen:
    """The keys that had a value in some line, those that nobody knows, and the sides."""

    keys: set[str] = field(default_factory=set)
    strange: dict[str, None] = field(default_factory=dict)
    sides: set[str] = field(default_factory=set)

    def note(self, raw: Mapping[str, Any], where: str) -> None:
        """Raises InputError for a key that is nearly one that the line lacks: the value would be silently lost."""
        for key, value in raw.items():
            if key in KEYS:
                if value is not None:
                    self.keys.add(key)
                continue
            near = next((known for known in _nearly(key) if known not in raw), None)
            if near is not None:
                raise InputError(f"{where}: {key}: unknown key, did you mean {near!r}? (allowed: {', '.join(KEYS)})")
            if len(self.strange) < len(KEYS):
                self.strange[key[:_LONGEST]] = None
        if isinstance(raw.get("side"), str):
            self.sides.add(raw["side"])


@lru_cache(maxsize=1024)
def _nearly(key: str) -> tuple[str, ...]:
    if len(key) > _LONGEST:
        return ()
    return tuple(difflib.get_close_matches(key.lower().replace("-", "_"), KEYS, n=len(KEYS), cutoff=_LIKE))


def read_object(line: bytes, where: str) -> dict[str, Any]:
    """Raises InputError with the line's place."""
    if len(line) > MAX_LINE_BYTES:
        raise InputError(f"{where}: the line is longer than {MAX_LINE_BYTES} bytes")
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise InputError(f"{where}: must be a JSON object")
    return raw


def checked(lines: Iterable[bytes], name: str, seen: Seen) -> Iterator[bytes]:
    """The same lines, once their keys are known to be meant. Raises InputError."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            where = f"{name}:{number}"
            seen.note(read_object(line, where), where)
        yield line


def number(raw: Mapping[str, Any], key: str, low: float, high: float, where: str) -> float | None:
    """A finite number of [low, high]; None where there is none. Raises InputError."""
    value = raw.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise InputError(f"{where}: {key}: must be a number (got {str(value)[:40]!r})")
    if not low <= value <= high:
        allowed = f"{low:g} to {high:g}" if high < math.inf else f"at least {low:g}"
        raise InputError(f"{where}: {key}: must be {allowed} (got {value:g})")
    return float(value)


def warnings(verdicts: Iterable[Verdict], seen: Seen) -> list[str]:
    """What of a file cannot decide, whatever its numbers."""
    gating = [v for v in verdicts if v.gating and not v.fast and v.gate != "split"]
    found = [text for v in gating if (text := _unfed(v.gate, seen))]
    found += [f"no event is of the {side}" for side in ("baseline", "candidate") if side not in seen.sides]
    if not gating:
        found.append("no gate is gating: never more than hold here, while the ramp goes by time and samples alone")
    if seen.strange:
        found.append(f"ignored keys: {', '.join(seen.strange)} (known: {', '.join(KEYS)})")
    return found


def _unfed(gate: str, seen: Seen) -> str:
    needed = next((keys for start, keys in _FEEDS.items() if gate.startswith(start)), None)
    if needed is None:
        return ""
    if not needed:
        return f"{gate} can never pass here: an event has no field for it"
    missing = [key for key in needed if key not in seen.keys]
    return f"{gate} can never pass here: no event has {' and '.join(missing)}" if missing else ""
