"""Find parts that exchanged their places: two words of a statement, two numbered steps, two cells of a table.

"A sued B" became "B sued A": such texts have the same words, so neither their cosine nor their word overlap shows the
difference. Such exchanges are one kind of change in PAWS (Zhang et al. 2019, Paraphrase Adversaries from Word
Scrambling). Cost: none unless two edits mirror each other, then 10 µs for 100 words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from scorer.scoring.compare.alignment.word_alignment import Alignment, Edit, joined
from scorer.scoring.compare.text.tokens import Token
from scorer.scoring.compare.vocabulary.lexicon import Lexicon

Rows = Sequence[Sequence[str]]  # the cells of each row of a text's tables

_FEW = 3  # words; a longer passage that moved is not a part of a statement
_NEAR = 12  # words between two parts of one statement


def exchanged_roles(alignment: Alignment) -> str:
    """Return a description of two parts of a statement that exchanged their places, or "" if there are none.

    Statements in another order do not count as a difference, and neither does "the Y is X" instead of "X is the Y".
    """
    found = next(_mirrored(alignment), None)
    if found is None:
        return ""
    ours, theirs = (_statements(side, alignment.lexicon) for side in (alignment.left, alignment.right))
    return f"{found[0]}, {found[1]}" if ours != theirs else ""


def _mirrored(alignment: Alignment) -> Iterator[tuple[Edit, Edit]]:
    """Yield each pair of consecutive edits in which the left words of each edit are the right words of the other."""
    short = [e for e in alignment.edits if e.left and e.right and max(len(e.left), len(e.right)) <= _FEW]
    for one, other in pairwise(short):
        near = other.left_at - one.left_end <= _NEAR
        content = any(t.key not in alignment.lexicon.stop_words for t in (*one.left, *one.right))
        mirrored = joined(one.left) == joined(other.right) and joined(one.right) == joined(other.left)
        if near and content and mirrored:
            yield one, other


def _statements(tokens: tuple[Token, ...], lexicon: Lexicon) -> Counter[tuple[str, ...]]:
    """Return how often each part of a text occurs. Full stops, commas and connectors such as "and" separate parts."""
    parts: list[list[str]] = [[]]
    for token in tokens:
        if token.opens or token.comma or token.key in lexicon.connectors:
            parts.append([])
        if token.key not in lexicon.connectors:
            parts[-1].append(token.key)
    return Counter(_with_sides_in_order(part, lexicon) for part in parts if part)


def _with_sides_in_order(part: list[str], lexicon: Lexicon) -> tuple[str, ...]:
    """Return the words of a statement; of "X is the Y", in the same order as those of "the Y is X"."""
    copulas = [at for at, word in enumerate(part) if word in lexicon.copulas]
    if len(copulas) != 1:
        return tuple(part)
    [at] = copulas
    sides = sorted((part[:at], part[at + 1 :]))
    is_identity = all(sides) and any(side[0] in lexicon.definite_articles for side in sides)
    return (*sides[0], part[at], *sides[1]) if is_identity else tuple(part)


_STEP = re.compile(r"\n[ \t]{0,12}\d{1,3}[.)][ \t]+(\S[^\n]*)")


def moved_step(left: str, right: str) -> str:
    """Describe a step whose number differs between two texts with the same numbered steps. Return "" if none does."""
    ours, theirs = ([_content(step) for step in _STEP.findall("\n" + side)] for side in (left, right))
    if len(ours) < 2 or ours == theirs or sorted(ours) != sorted(theirs):
        return ""
    at = next(i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b)
    return f"step {at + 1}: “{ours[at]}” → “{theirs[at]}”"


def _content(step: str) -> str:
    return step.strip(" \t*_").rstrip(" .;,\t").casefold()


def moved_cell(ours: Rows, theirs: Rows) -> str:
    """Describe a cell that the right table has in a different row or column. Return "" if there is none.

    The order of the rows and columns does not matter.
    """
    if len(ours) < 2 or ours == theirs or len(ours) != len(theirs):
        return ""
    if Counter(cell for row in ours for cell in row) != Counter(cell for row in theirs for cell in row):
        return ""
    label = ours[0][0]
    lost = _cells(ours, label) - _cells(theirs, label)
    if not lost:
        return ""
    row, column, cell = next(iter(lost))
    return f"a cell of a table: “{row}”, “{column}”: “{cell}”"


def _cells(rows: Rows, label: str) -> Counter[tuple[str, str, str]]:
    """Return how often each (row label, column label, cell) occurs.

    ``label`` heads the column of the row labels. If no column has this head, the first column contains them.
    """
    head = rows[0]
    at = head.index(label) if label in head else 0
    return Counter(
        (row[at] if at < len(row) else "", head[i] if i < len(head) else "", cell)
        for row in rows
        for i, cell in enumerate(row)
    )
