"""Convert texts to their canonical form, which lacks the features that a harmless rewrite may change.

Such features are the style of quotes and Markdown. Cost: 30 to 60 µs for 100 words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scorer.scoring.compare.text.markdown_blocks import Block, code_blocks, prose_around
from scorer.scoring.compare.text.typography import typeset

_LINK = re.compile(r"!?\[([^\]\n]{0,300})\]\((?:[^()\s]|\([^()\s]{0,300}\)){1,500}(?:\s{1,3}\"[^\"\n]{0,300}\")?\)")
_BULLET = re.compile(r"^[ \t]*(?:[-*+>][ \t]+)+", re.MULTILINE)
_HTML = re.compile(r"</?(?:b|i|em|strong|u|p|br|hr|ul|ol|li|code|pre|h[1-6]|span|div)\s{0,3}/?>", re.IGNORECASE)
_HASHES = re.compile(r"(?<![A-Za-z#])#+")  # not C#
_MARKS = str.maketrans("|", " ", "*_`~")
_RULER = re.compile(r"^[ \t:|*_=-]{3,}+$", re.MULTILINE)  # a ruler, also that under the head of a table
_SPACE = re.compile(r"\s+")
_PARAGRAPH = re.compile(r"\n(?: ?\n)+ ?")
_GAP = re.compile(r"[ \t]{2,}")  # replaced first, because later patterns would backtrack over long runs of spaces
_WRONG_APOSTROPHE = re.compile(r'(?<=[a-z])"(?=(?:t|s|re|ll|ve|d|m)\b)')
_TIMES = re.compile(r"(?<=[\w)\]] )(\*\*?)(?= [\w(\[-])|(?<=\d)(\*\*?)(?=\d)|(?<=\d)\s?[xX×](?=\s?\d)")

_FORMULA = re.compile(r"\$(?! )([^$\n]{1,120})(?<! )\$(?!\d|[.,]\d)")
_BOXED = re.compile(r"\\(?:boxed|text|textbf|mathrm|mathbf|mathit|operatorname|left|right)\b\s?")
_TYPESET = re.compile(
    r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mathsf|operatorname|mbox)\{([^{}\n]{1,60})\}"
)
_DEGREE = re.compile(r"\^\{?\\circ\b\}?")
_COMMA_IN_BRACES = re.compile(r"(?<=\d)\{,\}(?=\d)")
_RAISED_OR_LOWERED = re.compile(r"([_^])\{(\w{1,12}|-\d{1,3})\}")
_POWER_OF_TEN = re.compile(r"(?<![\w.,/^-])(\d{1,12}(?:[.,]\d{1,12})?) {0,3}× {0,3}10\^\(?(-?\d{1,3})\)?(?![\w.^])")
_FRACTION = re.compile(r"\\[dt]?frac\{([^{}\n]{1,60})\}\{([^{}\n]{1,60})\}")
_COMMAND = re.compile(r"\\(times|cdot|leq?|geq?|neq?|pm|approx|to|rightarrow|pi|alpha|beta|%|\$|,|;|!|\(|\)|\[|\])")
_SET_OR_LOGIC = re.compile(
    r"\\(cup|cap|forall|exists|notin|in|subseteq|supseteq|subset|supset|land|lor|neg|lnot|sqrt)(?![A-Za-z])"
)
_COMMANDS = {
    "times": "×", "cdot": "×", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "neq": "≠", "pm": "±",
    "approx": "≈", "to": "→", "rightarrow": "→", "pi": "π", "alpha": "α", "beta": "β", "%": "%", "$": "$",
    "cup": "∪", "cap": "∩", "forall": "∀", "exists": "∃", "notin": "∉", "in": "∈", "subseteq": "⊆", "supseteq": "⊇",
    "subset": "⊂", "supset": "⊃", "land": "∧", "lor": "∨", "neg": "¬", "lnot": "¬", "sqrt": "√",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class CanonicalText:
    """A text in canonical form, and the positions of its parts in characters.

    ``code_spans`` has the (start, end) positions of the former code blocks. ``paragraph_starts`` has the start
    positions of the paragraphs.
    """

    text: str
    code_spans: tuple[tuple[int, int], ...] = ()
    paragraph_starts: frozenset[int] = frozenset()


def plain(text: str) -> str:
    """Return a prose text with normalised characters and without Markdown. Line breaks are kept."""
    return _without_markdown(typeset(text))


def canonical(text: str) -> str:
    """Return the canonical form of a text on one line. Two texts with the same canonical form are embedded once."""
    return canonical_text(text, code_blocks(text)).text


def canonical_text(text: str, blocks: Sequence[Block] = ()) -> CanonicalText:
    """Return the canonical form of a text, with the positions of its code blocks ``blocks`` and of its paragraphs."""
    pieces = [(code, _without_markdown(piece, code=code)) for code, piece in _prose_and_code(text, blocks)]
    pieces = [piece for piece in pieces if piece[1].strip()]
    if not pieces:
        return CanonicalText("")
    spans: list[tuple[int, int]] = []
    starts: list[int] = []
    flat: list[str] = []
    length = 0
    for code, piece in pieces:
        begin = length
        for paragraph in _PARAGRAPH.split(piece.strip()):
            starts.append(length)
            flat.append(_SPACE.sub(" ", paragraph).strip())
            length += len(flat[-1]) + 1
        if code:
            spans.append((begin, length - 1))
    return CanonicalText(" ".join(flat), tuple(spans), frozenset(starts))


def _prose_and_code(text: str, blocks: Sequence[Block]) -> Iterator[tuple[bool, str]]:
    """Yield the passages of prose and the code blocks of a text in their order, each with whether it is code."""
    first, *others = prose_around(text, blocks)
    yield False, typeset(first)
    for block, prose in zip(blocks, others, strict=True):
        yield True, typeset(block.code)
        yield False, typeset(prose)


def _without_markdown(text: str, code: bool = False) -> str:
    text = _GAP.sub(" ", text)
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
    text = _BULLET.sub("", _RULER.sub("", text))
    if "*" in text or "x" in text or "X" in text or "×" in text:
        text = _TIMES.sub(_operator, text)
        if "10^" in text:
            text = _POWER_OF_TEN.sub(r"\1e\2", text)
    if "#" in text:
        text = _HASHES.sub("", text)
    return text.translate(_MARKS)


def _operator(match: re.Match[str]) -> str:
    return "^" if "**" in match[0] else " × "


def _formula(text: str) -> str:
    text = _DEGREE.sub("°", _TYPESET.sub(r"\1", text))
    text = _SET_OR_LOGIC.sub(lambda m: _COMMANDS[m[1]], _FRACTION.sub(r"\1/\2", _BOXED.sub("", text)))
    return _COMMAND.sub(lambda m: _COMMANDS.get(m[1], ""), text)
