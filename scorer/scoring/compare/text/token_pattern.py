"""The regular expression whose group 1 is a token (a number, word, sign or address), and the normal forms of signs.

Signs are currencies, comparisons, pictures, and plus and minus next to an operand (n-1, e^{-x}, HIV+). A hyphen between
words (well-known, COVID-19, F-16, X-ray) or between two numbers (5-10) is not a sign.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

from scorer.scoring.compare.vocabulary.lexicon import by_entry, word_data

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
_NOTATION = word_data("notation")
CURRENCY_MARKS = by_entry(_NOTATION["currencies"])
_NORMAL_FORMS = by_entry(_NOTATION["signs"])
_PICTOGRAPHS = "\u2600-\u27bf\u2b1b\u2b1c\u2b50\u2b55\U0001f000-\U0001f1e5\U0001f200-\U0001faff"
PICTURE = f"[\U0001f1e6-\U0001f1ff]{{2}}|[{_PICTOGRAPHS}]"  # a flag, or another picture
_ONE_PICTURE = re.compile(PICTURE)


@lru_cache(maxsize=5000)
def is_pictograph(key: str) -> bool:
    """Return whether a token is an emoji, a flag, or another picture, such as a playing card."""
    return _ONE_PICTURE.fullmatch(key) is not None


def sign_key(text: str, start: int, sign: str) -> str:
    """Return the normal form of the ``sign`` at ``text[start]``, such as ``>`` for ``→``.

    A minus that opens an operand, as in e^{-x}, becomes NEGATIVE. A sign without a normal form is returned unchanged.
    """
    if sign == "-" and _OPENS_AN_OPERAND.match(text, start + 1):
        return NEGATIVE
    return _NORMAL_FORMS.get(sign, sign)


# Scripts without spaces between words: kana, ideographs, Thai, Lao, Burmese and Khmer, without their digits. Each
# letter with its marks is a token there.
_UNSPACED = (
    "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u1000-\u103f"
    "\u1050-\u108f\u109a-\u109f\u1780-\u17d3"
)


_HAN, _FORMAL = (
    "".join((*by_entry(_NOTATION[f"{kind}_digits"]), *by_entry(_NOTATION[f"{kind}_powers"])))
    for kind in ("han", "formal")
)
# A numeral of Chinese characters: several of them, or one that counts or measures something, or one after 第. One 一 is
# also an article.
_COUNTED = "".join(_NOTATION["han_counters"].split())
_HAN_NUMERAL = f"[{_HAN}]{{2,16}}|[{_FORMAL}]{{2,16}}|(?<=第)[{_HAN}]|[{_HAN.replace('一', '')}](?=[{_COUNTED}])"
HAN_NUMERAL = re.compile(_HAN_NUMERAL)


def _marks() -> str:
    """Return the combining marks of all scripts, such as the vowel signs of Hindi. ``\\w`` does not include them."""
    return "".join(c for c in map(chr, range(0x300, 0x10000)) if unicodedata.category(c) in ("Mn", "Mc"))


_MARK = f"[{_marks()}]"
_LETTER = rf"[^\W\d{_UNSPACED}]"
_WORD = rf"{_LETTER}+(?:{_MARK}+{_LETTER}*)*"
_BEFORE = (
    # White space first, because every other pattern would be tried at each space. Most tokens are plain words.
    r"[ \n]*+([A-Za-z]?[a-z]+(?=[ ,]|[.;:!?)](?: |\Z))|(?:[A-Za-z][A-Za-z0-9+.-]{1,15}+://|www\.)[^\s<>()\"']+"
    r"|[A-Za-z]:\\\S+"
    r"|\d{4}-\d{1,2}-\d{1,2}(?!\d)"
    r"|(?<![\d.,])\d{1,3}(?: \d{3}){2,}(?!\d)"  # 1 500 000
    r"|(?<![\d.,])(?<!\d )[1-9]\d{0,2} \d{3}(?= ?(?:[€$£]|(?:EUR|[Ee]uros?|CHF|km|kg)\b))"  # 1 250 €
    r"|(?<![\d.,])(?<!\d )[1-9]\d{0,2} \d{3},\d{1,2}(?![\d,.]\d|\d)"  # 1 234,56
    r"|\d+(?:[.,:/']\d+)*(?:[eE][+-]?\d{1,3}(?!\w)|\^(?:\(-?\d{1,3}\)|-?\d{1,3}))?"  # 1,234.5  12:30  3/4  1e6  10^6
    r"|(?:US\$|[AC]\$|[$€£¥₹]|USD|EUR|GBP|CHF|JPY|INR)(?= ?-?\d)"
    rf"|{_WORD}(?:['.]{_WORD})*\d*"  # don't  e.g  U.S  h2
)
_AFTER = (
    r"|\^-?\w{1,12}"
    rf"|{SIGN}"
    r"|[★☆⭐]+|[€£¥₹%°≤≥≠≈±∞∧∨¬∈∉∪∩∀∃⊂⊃⊆⊇↑⬆▲🔺📈↓⬇▼🔻📉→⇒←⇐×√÷✓✔✅☑✗✘❌❎☒✖👍👎]"
    r"|(?<=\b[A-F])[+-](?![\w+-])"  # a grade
    r"|!=|<=|>=|==|->|=>|[=<>+&/^]+"
    r"|(?<=[A-Za-z\d)\]] )-(?= [\d(])|(?<=\b[A-Za-z] )-(?= [A-Za-z]\b)|(?<=\d )-(?= [A-Za-z]\b))"  # x - 1  a - b
)


@cache
def token_pattern(unspaced: tuple[str, ...]) -> re.Pattern[str]:
    """Return the pattern whose group 1 is a token.

    ``unspaced``: sequences of letters of the unspaced scripts that are one token. If two sequences match, the first one
    counts.
    """
    known = "".join(rf"{re.escape(word)}|" for word in unspaced)
    return re.compile(
        rf"{_BEFORE}|(?=[{_UNSPACED}])(?:{known}{_HAN_NUMERAL}|[{_UNSPACED}]{_MARK}*){_AFTER[:-1]}|{PICTURE})"
    )
