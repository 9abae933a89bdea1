"""Find two words that exchanged their places in a statement: "A sued B" became "B sued A".

Such texts have the same words, so neither their cosine nor their word overlap shows the difference. It is one of the
changes in PAWS (Zhang et al. 2019, Paraphrase Adversaries from Word Scrambling). Cost: none unless two edits mirror
each other, then 10 µs for 100 words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from scorer.scoring.compare.alignment.word_alignment import Alignment, Edit, joined
from scorer.scoring.compare.text.tokenizer import Token
from scorer.scoring.compare.vocabulary.lexicon import Lexicon

_FEW = 3  # words; a longer passage that moved is no part of a statement
_NEAR = 12  # words between two parts of one statement


def exchanged_roles(alignment: Alignment) -> str:
    """Return a description of two parts of a statement that exchanged their places, or "" if there are none.

    Statements that only stand in another order are no difference.
    """
    found = next(_mirrored(alignment), None)
    if found is None:
        return ""
    ours, theirs = (_statements(side, alignment.lexicon) for side in (alignment.left, alignment.right))
    return f"{found[0]}, {found[1]}" if ours != theirs else ""


def _mirrored(alignment: Alignment) -> Iterator[tuple[Edit, Edit]]:
    """Yield two edits that follow each other if each has the words of the other one, with the sides exchanged."""
    short = [e for e in alignment.edits if e.left and e.right and max(len(e.left), len(e.right)) <= _FEW]
    for one, other in pairwise(short):
        near = other.left_at - one.left_end <= _NEAR
        content = any(t.key not in alignment.lexicon.stop_words for t in (*one.left, *one.right))
        mirrored = joined(one.left) == joined(other.right) and joined(one.right) == joined(other.left)
        if near and content and mirrored:
            yield one, other


def _statements(tokens: tuple[Token, ...], lexicon: Lexicon) -> Counter[tuple[str, ...]]:
    """Return the parts of the text between its full stops, commas and connectors such as "and", in any order."""
    parts: list[list[str]] = [[]]
    for token in tokens:
        if token.opens or token.comma or token.key in lexicon.connectors:
            parts.append([])
        if token.key not in lexicon.connectors:
            parts[-1].append(token.key)
    return Counter(tuple(part) for part in parts if part)
