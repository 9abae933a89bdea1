"""The form in which two texts are compared: what a harmless rewrite changes is gone (quotes, markdown, a greeting).

Cost: 30 to 60 µs for 100 words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from scorer.scoring.compare.text.boilerplate import (
    one_form_of_address,
    strip_courtesies,
    without_closing,
    without_opening,
)
from scorer.scoring.compare.text.typography import MAX_CHARS, QUOTES, typeset

__all__ = ["MAX_CHARS", "QUOTES", "Form", "canonical", "plain", "read_form", "strip_courtesies"]

_FENCE = re.compile(r"^[ \t]*(?:```+|~~~+)[ \t]*[\w+#.-]*[ \t]*$", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]\n]{0,300})\]\((?:[^()\s]|\([^()\s]{0,300}\)){1,500}(?:\s{1,3}\"[^\"\n]{0,300}\")?\)")
_BULLET = re.compile(r"^[ \t]*(?:[-*+>][ \t]+)+", re.MULTILINE)
_HTML = re.compile(r"</?(?:b|i|em|strong|u|p|br|hr|ul|ol|li|code|pre|h[1-6]|span|div)\s{0,3}/?>", re.IGNORECASE)
_HASHES = re.compile(r"(?<![A-Za-z#])#+")  # not C#
_MARKS = str.maketrans("|", " ", "*_`~")
_RULERS = " \t:|-*_="  # a line of nothing else is a rule, or the rule under a table's head
_SPACE = re.compile(r"\s+")
_PARAGRAPH = re.compile(r"\n(?: ?\n)+ ?")
_GAP = re.compile(r"[ \t]{2,}")  # first, so that no later pattern tries to split a long run of blanks in two
_WRONG_APOSTROPHE = re.compile(r'(?<=[a-z])"(?=(?:t|s|re|ll|ve|d|m)\b)')
_TIMES = re.compile(r"(?<=[\w)\]] )(\*\*?)(?= [\w(\[-])|(?<=\d)(\*\*?)(?=\d)|(?<=\d)\s?[xX×](?=\s?\d)")

_FORMULA = re.compile(r"\$(?! )([^$\n]{1,120})(?<! )\$(?!\d|[.,]\d)")
_BOXED = re.compile(r"\\(?:boxed|text|textbf|mathrm|mathbf|mathit|operatorname|left|right)\b\s?")
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
class Form:
    """``text``: the canonical form. ``code``: the spans of it that stood in code blocks. ``starts``: where paragraphs
    begin in it. ``offers``: closing courtesies that were taken off in words of their own.
    """

    text: str
    code: tuple[tuple[int, int], ...] = ()
    starts: frozenset[int] = frozenset()
    offers: str = ""


def plain(text: str) -> str:
    """Typography and markdown gone, line breaks kept; courtesies still there."""
    return _unmarked(_FENCE.sub("", typeset(text)))


def canonical(text: str) -> str:
    """``plain`` without courtesies, on one line. Equal texts are embedded once."""
    return read_form(text).text


def read_form(text: str) -> Form:
    """The canonical form of a text, with where its code stands."""
    pieces = [(code, _unmarked(piece, code=code)) for code, piece in pieces_of(typeset(text))]
    pieces = [piece for piece in pieces if piece[1].strip()]
    if not pieces:
        return Form("")
    offers = ""
    if len(pieces) == 1 and not pieces[0][0]:
        pieces[0] = (False, one_form_of_address(pieces[0][1].strip()))
    if not pieces[0][0]:
        pieces[0] = (False, without_opening(pieces[0][1].strip()))
    if not pieces[-1][0]:
        body, offers = without_closing(pieces[-1][1].strip())
        pieces[-1] = (False, body)
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
    return Form(" ".join(flat), tuple(spans), frozenset(starts), _SPACE.sub(" ", offers))


def pieces_of(text: str) -> list[tuple[bool, str]]:
    """Prose (False) and code (True) in turns; a block that is not closed goes to the end."""
    marks = list(_FENCE.finditer(text)) if "```" in text or "~~~" in text else []
    if not marks:
        return [(False, text)]
    found: list[tuple[bool, str]] = []
    at = 0
    for index, mark in enumerate(marks):
        found.append((index % 2 == 1, text[at : mark.start()]))
        at = mark.end()
    return [*found, (len(marks) % 2 == 1, text[at:])]


def _unmarked(text: str, code: bool = False) -> str:
    text = _GAP.sub(" ", text)
    if '"' in text:
        text = _WRONG_APOSTROPHE.sub("'", text)
    if "](" in text:
        text = _LINK.sub(r"\1", text)
    if "\\" in text and not code:
        text = _formula(text)
    if "$" in text and not code:
        text = _FORMULA.sub(r"\1", text)
    if "<" in text:
        text = _HTML.sub(" ", text)
    text = _BULLET.sub("", _without_rules(text))
    if "*" in text or "x" in text or "X" in text or "×" in text:
        text = _TIMES.sub(_operator, text)
    if "#" in text:
        text = _HASHES.sub("", text)
    return text.translate(_MARKS)


def _without_rules(text: str) -> str:
    if "--" not in text and "**" not in text and "__" not in text and "==" not in text and "- -" not in text:
        return text
    return "\n".join(line for line in text.split("\n") if line.strip(_RULERS) or len(line) < 3)


def _operator(match: re.Match[str]) -> str:
    return "^" if "**" in match[0] else " × "


def _formula(text: str) -> str:
    text = _SET_OR_LOGIC.sub(lambda m: _COMMANDS[m[1]], _FRACTION.sub(r"\1/\2", _BOXED.sub("", text)))
    return _COMMAND.sub(lambda m: _COMMANDS.get(m[1], ""), text)
