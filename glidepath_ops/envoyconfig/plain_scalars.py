"""Decides which strings YAML may contain without quotes.

PyYAML writes ``y``, ``1e5`` and ``0o17`` without quotes, because it reads them as strings. Other readers do not: Envoy
(yaml-cpp) reads ``y`` as a boolean, and kubectl (go-yaml) reads ``1e5`` and ``0o17`` as numbers.
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from string import hexdigits

# YAML 1.1 (yaml.org/type/bool, null, float), in any case
_BOOLEANS = frozenset({"y", "n", "yes", "no", "true", "false", "on", "off"})
_WORDS = _BOOLEANS | {"null", "~", "inf", "nan", "infinity", ".inf", ".nan", "=", "<<"}


@lru_cache(maxsize=4096)  # a bootstrap repeats a few hundred strings thousands of times
def is_plain(text: str) -> bool:
    """Return whether every YAML reader reads ``text`` as a string if it has no quotes. (Its syntax is not checked.)"""
    bare = text.strip().lower()
    return bool(bare) and bare.lstrip("+-") not in _WORDS and not _is_number(bare)


def _is_number(text: str) -> bool:
    digits = text.lstrip("+-").replace("_", "")
    for read in (float, float.fromhex if "0x" in digits else float, lambda number: int(number, 0)):
        with suppress(ValueError, OverflowError):
            read(digits)
            return True
    if digits[:2] in ("0b", "0o", "0x"):
        return set(digits[2:]) <= set(hexdigits)
    return ":" in digits and digits.replace(":", "").replace(".", "").isdigit()  # base 60: 12:30
