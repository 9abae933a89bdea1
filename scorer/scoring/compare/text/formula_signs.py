"""Signs of a formula that stand close to what they bear on: n-1, (x+2)(x-3), e^{-x}, UTC-5, HIV+.

A hyphen between words (well-known, COVID-19, F-16, X-ray) and one between two numbers (5-10) is none of them.
"""

from __future__ import annotations

import re

NEGATIVE = "−"  # the key of a minus before a letter: e^{-x} against e^{x}
_OPERAND = r"(?=[([{\\]|[A-Za-zα-ω](?![A-Za-z'])|(?:sin|cos|tan|log|ln|exp|sqrt|max|min)\b{digit})"
_BEHIND_A_DIGIT = r"(?<=\d-)"
_BEHIND_AN_OPERAND = (
    r"(?:(?<=[)\]}]-)|(?<=\^\d-)|(?<=(?<![A-Za-z'])[a-zα-ω]-)|(?<=[([{^+*/=_,][A-Z]-)|(?<=\bUTC-)|(?<=\bGMT-))"
)
# CEST-1, T-2, arr[len-1]; type-2 and mid-1 as well, where a hyphen on one side only says nothing.
_BEHIND_A_WORD = r"(?:(?<=[A-Z]ST-)|(?<=\bCET-)|(?<=\b[NT]-)|(?<=[a-z]{2}-))(?=\d\b(?!\.\d))"
_OPENING = r"(?:(?<=[([{=^<>,]-)|(?<=[=<>] -))"
SIGN = (
    "-(?:"
    + "|".join((
        _BEHIND_AN_OPERAND + _OPERAND.replace("{digit}", r"|\d"),
        _BEHIND_A_DIGIT + _OPERAND.replace("{digit}", ""),
        _BEHIND_A_WORD,
        _OPENING + _OPERAND.replace("{digit}", ""),
    ))
    + ")"
    # HIV+, AB-, Na+
    r"|[+-](?:(?<=[A-Z]{2}.)|(?<=\bO.)|(?<=\b[A-Z][a-z].))(?![\w+-])"
    r"|√(?: ?\d{1,12}|[({]?\w{1,12})"
)  # fmt: skip
_OPENED = re.compile(_OPENING)
_BEHIND_CAPITALS = re.compile(r"(?:(?<=[A-Z]{2}.)|(?<=\bO.)|(?<=\b[A-Z][a-z].))(?![\w+-])")
_POLES = {"+": "positive", "-": "negative"}


def sign_key(text: str, start: int, sign: str) -> str:
    """The key of the plus or minus at ``start``: HIV+ is HIV positive."""
    if _BEHIND_CAPITALS.match(text, start + 1):
        return _POLES[sign]
    return NEGATIVE if sign == "-" and _OPENED.match(text, start + 1) else sign
