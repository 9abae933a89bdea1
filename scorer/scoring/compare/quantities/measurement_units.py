"""The names of months, and of units and currencies with the factors that convert them to base units.

A table (vocabulary/quantities.toml) replaces the library pint, which takes 0.3 s to import and has thousands of units
that no answer uses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from scorer.scoring.compare.vocabulary.lexicon import word_data

Unit = tuple[str, Decimal]  # base, factor

_TABLE = word_data("quantities")
MONTHS = {name: i for i, names in enumerate(_TABLE["months"].split(), 1) for name in names.split("/")}
CURRENCIES = frozenset(_TABLE["currencies"].split())
_ATTACHED_ONLY = frozenset(_TABLE["attached_only"].split())


def _units(table: Mapping[str, str]) -> dict[str, Unit]:
    entries = [(base, *entry.rpartition("=")) for base, text in table.items() for entry in text.split()]
    return {name.replace("_", " "): (base, Decimal(factor)) for base, name, _, factor in entries}


_SYMBOLS, _WORDS = _units(_TABLE["symbols"]), _units(_TABLE["words"])
_WORDS |= {name + "s": unit for name, unit in _WORDS.items() if len(name) > 2 and not name.endswith("s")}
# Squares and cubes of lengths. Their factors are squared or cubed, too.
_POWERS = {f"{name}^{n}": (f"m^{n}", _SYMBOLS[name][1] ** n) for name in ("km", "m", "cm", "mm") for n in (2, 3)}
_POWERS |= {f"ft^{n}": (f"ft^{n}", Decimal(1)) for n in (2, 3)}

_AFTER = re.compile(
    r"([ -]?)((?:US|[AC])\$(?!\d)|°\s?[CFK](?![A-Za-z])|[%‰°元]|[$€£¥₹](?!\d)|[^\W\d_]{1,24})"
    r"(?:\^?([23])(?!\w))?(?:/([A-Za-zμ]{1,5})(?![\w^]))?(?: ([A-Za-z]{1,12})(?!\w))?(?: ([A-Za-z]{4,6})(?!\w))?"
)


def unit_at(text: str, at: int) -> tuple[str, Decimal, int] | None:
    """Return (base unit, factor, end) of the unit that begins at ``text[at]``, or None if there is no unit.

    The position ``at`` must be directly after a number.
    """
    match = _AFTER.match(text, at)
    if match is None:
        return None
    gap, word, power, per, second, third = match.groups()
    for words, end in ((f"{word} {second} {third}", 6), (f"{word} {second}", 5)):
        if match[end] and (unit := _WORDS.get(words.lower())):
            return (*unit, match.end(end))
    if power:
        found = _POWERS.get(f"{word}^{power}")
        return (*found, match.end(3)) if found else None
    word = word.replace(" ", "")
    if per and word in _SYMBOLS and per in _SYMBOLS and word != "B":
        base, factor = _SYMBOLS[word]
        return f"{base}/{per}", factor, match.end(4)
    simple = _SYMBOLS.get(word) or _WORDS.get(word.lower())
    if simple is None or (gap == " " and word in _ATTACHED_ONLY):
        return None
    return (*simple, match.end(2))
