"""The signal ``operators``: an operator sign differs in short texts with the same words, such as "> 5" and "5".

The canonical form and the tokens leave such signs out, because most of them are Markdown or punctuation.
"""

from __future__ import annotations

import re

from scorer.scoring.compare.alignment.word_alignment import Edit
from scorer.scoring.compare.result import Signal, excerpt, ramp
from scorer.scoring.compare.signals.document_pair import DocumentPair
from scorer.scoring.compare.text.canonical_text import typeset

MAX_WORDS = 12  # in a longer text, one sign is a small part
_MAX_CHARS = 400
_WORD = re.compile(r"\w+(?:[.,:'/-]\w+)*")
_FENCE = re.compile(r"^[ \t]*(?:```|~~~).*$", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]\n]{0,300})\]\([^()\s]{1,300}\)")
_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9]{0,9}\s{0,3}/?>")
_RULER = re.compile(r"^[ \t:|*_=-]{3,}$", re.MULTILINE)
_BULLET = re.compile(r"^[ \t]*(?:(?:[-*+]|#{1,6}|>(?![ \t]{0,3}[\d.+-]))[ \t]+)+(?=\S)", re.MULTILINE)
_EMPHASIS = re.compile(r"(\*{1,3}|_{1,3}|~~)(?=\S)([^*_~\n]{1,300}?)(?<=\S)\1")
_ESCAPED = re.compile(r"\\(?=[_*`#+!|<>~.-])")  # Markdown: \_name\_
_PLUS = re.compile(r"(?<![^\s(:=])\+(?=\d)")  # +5 is 5
_FORMULA = re.compile(r"\$[^$\n]+\$|\\[A-Za-z()\[\]]")
_SPELLINGS = {"≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "×": "*", "÷": "/", "**": "^", "==": "="}
_OPERATORS = frozenset("+-=~<>^\\/&|*%@#$!")
_PUNCTUATION = frozenset("-|#&@$%")  # such a sign in only one of the texts is punctuation
_BETWEEN_WORDS = _PUNCTUATION | frozenset("=/*")  # the same between two words: "x = 5" and "x: 5"
_DASHES = frozenset("-|#")
_DECORATION = "`*_\"'."


def operators(pair: DocumentPair) -> Signal:
    """Return a signal that measures the share of differing operator signs among the tokens of two short texts.

    If words differ too, the divergence is 0, because other signals measure that difference.
    """
    if pair.code.cosmetic or not all(_is_added_sign(edit) for edit in pair.alignment.edits):
        return Signal("operators", 0.0)
    changed = changed_operators(pair.left.text, pair.right.text)
    if not changed:
        return Signal("operators", 0.0)
    share = len(changed) / (len(changed) + max(len(pair.left.tokens), len(pair.right.tokens)))
    a, b = changed[0]
    return Signal("operators", ramp(share, 0.02, 0.3), reason=f"“{excerpt(a)}” → “{excerpt(b)}”")


def _is_added_sign(edit: Edit) -> bool:
    """Return whether only one text has tokens at this edit, and all of them are signs."""
    return not (edit.left and edit.right) and all(token.symbol for token in (*edit.left, *edit.right))


def changed_operators(left: str, right: str) -> list[tuple[str, str]]:
    """Return pairs of operator signs that differ between two short texts with the same words; "" for an absent sign.

    Emphasis, quotes, dashes, bullets, headings, tables, fences, brackets and punctuation do not count as differences.
    The result is empty for texts with different words, with more than MAX_WORDS words, or with formulas.
    """
    if left == right or max(len(left), len(right)) > _MAX_CHARS:
        return []
    one, other = _without_markup(left), _without_markup(right)
    words = [_WORD.findall(text.casefold()) for text in (one, other)]
    if words[0] != words[1] or len(words[0]) > MAX_WORDS:
        return []
    if not words[0]:
        return _other_signs(left, right)
    if _FORMULA.search(left) or _FORMULA.search(right):
        return []
    gaps = zip(_gaps(one), _gaps(other), strict=True)
    last = len(words[0])
    return [(a, b) for at, (a, b) in enumerate(gaps) if _differ(a, b, between=0 < at < last)]


def _without_markup(text: str) -> str:
    text = _ESCAPED.sub("", _TAG.sub(" ", _LINK.sub(r"\1", _FENCE.sub("", typeset(text)))))
    text = _PLUS.sub("", _BULLET.sub("", _RULER.sub("", text)).replace("`", ""))
    return _EMPHASIS.sub(r"\2", _EMPHASIS.sub(r"\2", text))


def _gaps(text: str) -> list[str]:
    """Return the operator signs before, between and after the words."""
    ends = [0, *(match.end() for match in _WORD.finditer(text))]
    starts = [*(match.start() for match in _WORD.finditer(text)), len(text)]
    return [_operators(text[a:b], opens=b < len(text)) for a, b in zip(ends, starts, strict=True)]


def _operators(gap: str, opens: bool) -> str:
    """Return the operator signs in a gap. An exclamation mark is an operator only before a word or an equals sign."""
    for sign, spelling in _SPELLINGS.items():
        gap = gap.replace(sign, spelling)
    negates = opens and re.fullmatch(r"(?:.*[\s(])?!", gap, re.DOTALL) is not None
    kept = gap if negates else re.sub("!(?!=)", "", gap)
    return "".join(char for char in kept if char in _OPERATORS)


def _differ(a: str, b: str, between: bool) -> bool:
    if a == b:
        return False
    if a and b:
        return not set(a + b) <= _DASHES
    return not set(a + b) <= (_BETWEEN_WORDS if between else _PUNCTUATION)


def _other_signs(left: str, right: str) -> list[tuple[str, str]]:
    """Return two texts without words as one pair if they differ by more than decoration, else an empty list."""
    one, other = ("".join(typeset(text).split()) for text in (left, right))
    one, other = (text.strip(_DECORATION) or text for text in (one, other))
    rulers = _RULER.fullmatch(one) and _RULER.fullmatch(other)
    return [(one, other)] if one and other and one != other and not rulers else []
