"""Recognise plus and minus signs next to an operand: n-1, (x+2)(x-3), e^{-x}, UTC-5, HIV+.

A hyphen between words (well-known, COVID-19, F-16, X-ray) or between two numbers (5-10) is not a sign.
"""

from __future__ import annotations

import re

NEGATIVE = "−"  # the key of a minus before a letter; it distinguishes e^{-x} from e^{x}
_OPERAND = r"(?=[([{\\]|[A-Za-zα-ω](?![A-Za-z'])|(?:sin|cos|tan|log|ln|exp|sqrt|max|min)\b{digit})"
_AFTER_A_DIGIT = r"(?<=\d-)"
_AFTER_AN_OPERAND = (
    r"(?:(?<=[)\]}]-)|(?<=\^\d-)|(?<=(?<![A-Za-z'])[a-zα-ω]-)|(?<=[([{^+*/=_,][A-Z]-)|(?<=\bUTC-)|(?<=\bGMT-))"
)
# CEST-1, T-2, arr[len-1]. It also matches type-2 and mid-1, where a hyphen in only one text is not a difference.
_AFTER_A_WORD = r"(?:(?<=[A-Z]ST-)|(?<=\bCET-)|(?<=\b[NT]-)|(?<=[a-z]{2}-))(?=\d\b(?!\.\d))"
_OPENING = r"(?:(?<=[([{=^<>,]-)|(?<=[=<>] -))"
SIGN = (
    "-(?:"
    + "|".join((
        _AFTER_AN_OPERAND + _OPERAND.replace("{digit}", r"|\d"),
        _AFTER_A_DIGIT + _OPERAND.replace("{digit}", ""),
        _AFTER_A_WORD,
        _OPENING + _OPERAND.replace("{digit}", ""),
    ))
    + ")"
    # HIV+, AB-, Na+
    r"|[+-](?:(?<=[A-Z]{2}.)|(?<=\bO.)|(?<=\b[A-Z][a-z].))(?![\w+-])"
    r"|√(?: ?\d{1,12}|[({]?\w{1,12})"
)  # fmt: skip
_OPENS_AN_OPERAND = re.compile(_OPENING)
_AFTER_CAPITALS = re.compile(r"(?:(?<=[A-Z]{2}.)|(?<=\bO.)|(?<=\b[A-Z][a-z].))(?![\w+-])")
_CHARGES = {"+": "positive", "-": "negative"}


def sign_key(text: str, start: int, sign: str) -> str:
    """Return the normal form of the plus or minus sign at ``text[start]``. The plus of HIV+ becomes "positive".

    A minus that opens an operand, as in e^{-x}, becomes NEGATIVE.
    """
    if _AFTER_CAPITALS.match(text, start + 1):
        return _CHARGES[sign]
    return NEGATIVE if sign == "-" and _OPENS_AN_OPERAND.match(text, start + 1) else sign
