"""The tokens of a text (words, quantities and signs), and the properties that follow from their place in the text."""

from __future__ import annotations

import re
from typing import NamedTuple

from scorer.scoring.compare.vocabulary.lexicon import Lexicon

_MARKER = re.compile(r"(\d(?<!\S\d)\d{0,2})([.)])(?=\s)")  # the digit first, because the search for it is far cheaper
_STOP = re.compile(r"[.!?:\n\"]")


class Token(NamedTuple):
    """A word, quantity or sign of a text in canonical form."""

    key: str  # the form that is compared
    surface: str  # the form in the text
    start: int  # its position in the text
    number: bool = False  # it is a quantity
    marker: bool = False  # it is the number of a list item, which another bullet style would not have
    opens: bool = False  # it is the first token of its sentence
    symbol: bool = False  # it is a sign with a meaning (≤, ✓, →, +)
    comma: bool = False  # a comma precedes it
    noun: bool = False  # it may be capitalised although it is not a name, such as a German noun
    code: bool = False  # it is inside a code block

    @property
    def capital(self) -> bool:
        return self.surface[:1].isupper()


def is_name(token: Token) -> bool:
    return token.surface[:1].isupper() and not token.opens and not token.noun and len(token.key) > 1


def list_markers(text: str, starts: frozenset[int]) -> set[int]:
    """Return the positions of the numbers of list items.

    A number with a full stop may also end a sentence, as in "It is 5. I hope this helps!". Within a line, such a number
    counts as a list item's only if the text also has an item with the previous or next number.
    """
    found = list(_MARKER.finditer(text))
    numbers = {int(m[1]) for m in found}
    return {
        m.start()
        for m in found
        if m[2] == ")"
        or m.start() in starts
        or _begins_line(text, m.start())
        or not numbers.isdisjoint((int(m[1]) - 1, int(m[1]) + 1))
    }


def _begins_line(text: str, at: int) -> bool:
    while at and text[at - 1] in " \t":
        at -= 1
    return not at or text[at - 1] == "\n"


def ends_sentence(gap: str) -> bool:
    """Return whether a sentence ends in the characters between two tokens."""
    return gap != ", " and (_STOP.search(gap) is not None or ("-" in gap and " " in gap))


def with_code(tokens: list[Token], spans: tuple[tuple[int, int], ...]) -> list[Token]:
    """Return the tokens, with those inside code blocks marked as code.

    ``spans`` contains the (start, end) positions of the code blocks.
    """
    marked: list[Token] = []
    edges = iter([*(edge for span in spans for edge in span), tokens[-1].start + 1 if tokens else 0])
    edge, inside = next(edges), False
    for token in tokens:
        while token.start >= edge:
            edge, inside = next(edges), not inside
        marked.append(Token(*token[:-1], code=True) if inside else token)
    return marked


def with_nouns(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    """Return the tokens of a German text, with the capitalised words marked as nouns: German capitalises all nouns.

    A word after a title (Herr) or after another capitalised word is a name instead.
    """
    marked: list[Token] = []
    for i, token in enumerate(tokens):
        before = tokens[i - 1] if i else None
        named = before is not None and (before.key in lexicon.titles or (before.capital and not before.opens))
        marked.append(token._replace(noun=True) if token.capital and not named else token)
    return marked
