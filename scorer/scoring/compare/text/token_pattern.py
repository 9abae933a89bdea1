"""The regular expression of a token (its group 1): a number, a word, a sign or an address."""

from __future__ import annotations

import re

from scorer.scoring.compare.quantities.formula_signs import SIGN

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_LETTER = rf"[^\W\d{_CJK}]"
TOKEN = re.compile(
    # White space first, because every other pattern would be tried at each space. Most tokens are plain words.
    r"[ \n]*+([A-Za-z]?[a-z]+(?=[ ,]|[.;:!?)](?: |\Z))|(?:https?://|www\.)[^\s<>()\"']+"
    r"|[A-Za-z]:\\\S+"
    r"|\d{4}-\d{1,2}-\d{1,2}(?!\d)"
    r"|(?<![\d.,])\d{1,3}(?: \d{3}){2,}(?!\d)"  # 1 500 000
    r"|(?<![\d.,])(?<!\d )[1-9]\d{0,2} \d{3}(?= ?(?:[€$£]|(?:EUR|Euro|CHF|km|kg)\b))"  # 1 250 €
    r"|\d+(?:[.,:/']\d+)*(?:[eE][+-]?\d{1,3}(?!\w)|\^(?:\(-?\d{1,3}\)|-?\d{1,3}))?"  # 1,234.5  12:30  3/4  1e6  10^6
    r"|[vV]\d{1,9}(?:\.\d{1,9})+"
    r"|(?:US\$|[AC]\$|[$€£¥₹]|USD|EUR|GBP|CHF|JPY|INR)(?= ?-?\d)"
    rf"|{_LETTER}+(?:['.]{_LETTER}+)*\d*"  # don't  e.g  U.S  h2
    rf"|ません|ない|なかっ|[{_CJK}]"  # scripts without spaces between words: each character is a token
    r"|\^-?\w{1,12}"
    rf"|{SIGN}"
    r"|[★☆⭐]+|[€£¥₹%°≤≥≠≈±∞∧∨¬∈∉∪∩∀∃⊂⊃⊆⊇↑⬆▲🔺📈↓⬇▼🔻📉→⇒←⇐×√÷✓✔✅☑✗✘❌❎☒✖👍👎]"
    r"|(?<=\b[A-F])[+-](?![\w+-])"  # a grade
    r"|!=|<=|>=|==|->|=>|[=<>+&/^]+"
    r"|(?<=[A-Za-z\d)\]] )-(?= [\d(])|(?<=\b[A-Za-z] )-(?= [A-Za-z]\b)|(?<=\d )-(?= [A-Za-z]\b))"  # x - 1  a - b
)
