"""Convert texts to their canonical form, without features that a harmless rewrite may change.

Such features are Markdown and the typography: quotes, dashes, widths, ligatures and accents. Unicode's normal form NFKC
would turn m² into m2 and 1½ into 11/2, so powers and fractions are spelled out first. Cost: 30 to 60 µs for 100 words,
and as much again for a text that is not ASCII.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from scorer.scoring.compare.vocabulary.lexicon import by_entry, word_data

MAX_CHARS = 200_000  # maximum number of compared characters of an answer; this limits the cost of the patterns

_NOTATION = word_data("notation")
QUOTES = str.maketrans({char: key for key, chars in _NOTATION["characters"].items() for char in chars})
_COMMANDS = by_entry(_NOTATION["latex"])
_NOT_ASCII = re.compile("[^\x00-\x7f]")
_REPLACED = {chr(code): key for code, key in QUOTES.items()}  # no key contains a character that is replaced, too
_RAISED_CHARS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻"
_RAISED = re.compile(f"[{_RAISED_CHARS}]+")
_LOWERED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-", "⁺")
_THIN_CHARS = "\u00a0\u202f\u2009"
_THIN = re.compile(f"(?<=[0-9])[{_THIN_CHARS}](?=[0-9]{{3}}(?![0-9]))")  # 6 650
_LINK = re.compile(r"!?\[([^\]\n]{0,300})\]\((?:[^()\s]|\([^()\s]{0,300}\)){1,500}(?:\s{1,3}\"[^\"\n]{0,300}\")?\)")
# The literal before a lookbehind, and the line break before a line, let a search skip to the next one (far cheaper).
_BULLET = re.compile(r"\n[ \t]*(?:[-*+>][ \t]+)+")
_HTML = re.compile(r"</?(?:b|i|em|strong|u|p|br|hr|ul|ol|li|code|pre|h[1-6]|span|div)\s{0,3}/?>", re.IGNORECASE)
_HASHES = re.compile(r"#(?<![A-Za-z#]#)#*")  # not C#
_MARKS = (("|", " "), ("*", ""), ("_", ""), ("`", ""), ("~", ""))
_RULER = re.compile(r"\n[ \t:|*_=-]{3,}+$", re.MULTILINE)  # a ruler, including the one under the head of a table
_PARAGRAPH = re.compile(r"\n(?: ?\n)+ ?")
_GAP = re.compile(r"[ \t]{2,}")  # replaced first, because later patterns would backtrack over long runs of spaces
_WRONG_APOSTROPHE = re.compile(r'(?<=[a-z])"(?=(?:t|s|re|ll|ve|d|m)\b)')
_STARS = re.compile(r"\*(?:(?<=[\w)\]] \*)\*?(?= [\w(\[-])|(?<=\d\*)\*?(?=\d))")
_CROSS = re.compile(r"[xX×](?=\s?\d)")
_CROSS_OF_NUMBERS = re.compile(r"(?<=\d)\s?[xX×](?=\s?\d)")
_FORMULA = re.compile(r"\$(?! )([^$\n]{1,120})(?<! )\$(?!\d|[.,]\d)")
_TYPEFACES = "text|textbf|textit|textrm|mathrm|mathbf|mathit|mathsf|operatorname|mbox"
_TYPESET = re.compile(rf"\\(?:{_TYPEFACES})\{{([^{{}}\n]{{1,60}})\}}")
_BOXED = re.compile(rf"\\(?:boxed|left|right|{_TYPEFACES})\b\s?")
_DEGREE = re.compile(r"\^\{?\\circ\b\}?")
_COMMA_IN_BRACES = re.compile(r"(?<=\d)\{,\}(?=\d)")
_RAISED_OR_LOWERED = re.compile(r"([_^])\{(\w{1,12}|-\d{1,3})\}")
_POWER_OF_TEN = re.compile(r"(?<![\w.,/^-])(\d{1,12}(?:[.,]\d{1,12})?) {0,3}× {0,3}10\^\(?(-?\d{1,3})\)?(?![\w.^])")
_FRACTION = re.compile(r"\\[dt]?frac\{([^{}\n]{1,60})\}\{([^{}\n]{1,60})\}")
_COMMAND = re.compile(r"\\([A-Za-z]+|[%$,;!()\[\]])")


@dataclass(frozen=True, slots=True)
class CanonicalText:
    """A text in canonical form, and the positions of its parts in characters.

    ``code_spans`` has the (start, end) positions of the former code blocks. ``paragraph_starts`` has the start
    positions of the paragraphs.
    """

    text: str
    code_spans: tuple[tuple[int, int], ...] = ()
    paragraph_starts: frozenset[int] = frozenset()


def not_ascii(text: str) -> set[str]:
    """Return the characters of a text that are not ASCII."""
    return set() if text.isascii() else set(_NOT_ASCII.findall(text))


def typeset(text: str) -> str:
    """Return the text with normalised characters, cut after MAX_CHARS characters."""
    text = text[:MAX_CHARS]
    if text.isascii():
        return text
    found = not_ascii(text)
    if not found.isdisjoint(_THIN_CHARS):
        text = _THIN.sub("", text)
    for char in found & _REPLACED.keys():
        text = text.replace(char, _REPLACED[char])  # far cheaper than translate, if most characters are ASCII
    if not found.isdisjoint(_RAISED_CHARS):
        text = _RAISED.sub(lambda m: "^" + m[0].translate(_LOWERED), text)
    if not unicodedata.is_normalized("NFKC", text):
        text = unicodedata.normalize("NFKC", text)[:MAX_CHARS]
    return text


def plain(text: str) -> str:
    """Return a prose text with normalised characters and without Markdown. Line breaks are kept."""
    return _without_markdown(typeset(text))


def canonical_text(passages: Iterable[tuple[bool, str]]) -> CanonicalText:
    """Return the canonical form of a text, on one line.

    ``passages``: (whether it is code, text) for each passage of prose and each code block, in their order.
    """
    spans: list[tuple[int, int]] = []
    starts: list[int] = []
    flat: list[str] = []
    length = 0
    for code, passage in passages:
        piece = _without_markdown(typeset(passage), code=code).strip()
        if not piece:
            continue
        begin = length
        for paragraph in _PARAGRAPH.split(piece):
            starts.append(length)
            flat.append(" ".join(paragraph.split()))
            length += len(flat[-1]) + 1
        if code:
            spans.append((begin, length - 1))
    return CanonicalText(" ".join(flat), tuple(spans), frozenset(starts))


def _without_markdown(text: str, code: bool = False) -> str:
    text = _with_single_spaces(text)
    if '"' in text:
        text = _WRONG_APOSTROPHE.sub("'", text)
    if "](" in text:
        text = _LINK.sub(r"\1", text)
    if "{" in text and not code:
        text = _RAISED_OR_LOWERED.sub(r"\1\2", _COMMA_IN_BRACES.sub(",", text))
    if "\\" in text and not code:
        text = _formula(text)
    if "$" in text and not code:
        text = _FORMULA.sub(r"\1", text)
    if "<" in text:
        text = _HTML.sub(" ", text)
    text = _BULLET.sub("\n", _RULER.sub("\n", "\n" + text))[1:]
    if _CROSS.search(text):
        text = _CROSS_OF_NUMBERS.sub(" × ", text)
    text = _STARS.sub(_operator, text)
    if "10^" in text and "×" in text:
        text = _POWER_OF_TEN.sub(r"\1e\2", text)
    if "#" in text:
        text = _HASHES.sub("", text)
    for mark, instead in _MARKS:
        text = text.replace(mark, instead)  # far cheaper than translate, if the text is not ASCII
    return text


def _with_single_spaces(text: str) -> str:
    if "\t" in text:
        text = _GAP.sub(" ", text)
    while "  " in text:
        text = text.replace("  ", " ")  # far cheaper than the pattern
    return text


def _operator(match: re.Match[str]) -> str:
    return "^" if "**" in match[0] else " × "


def _formula(text: str) -> str:
    text = _BOXED.sub("", _DEGREE.sub("°", _TYPESET.sub(r"\1", text)))
    return _COMMAND.sub(lambda m: _COMMANDS.get(m[1], m[0]), _FRACTION.sub(r"\1/\2", text))
