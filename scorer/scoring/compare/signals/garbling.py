"""The signal ``garbling``: a text is garbled, or misspells many words of the other text."""

from __future__ import annotations

from scorer.scoring.compare.alignment.word_alignment import Alignment
from scorer.scoring.compare.defects.garbled_text import garbled_text
from scorer.scoring.compare.result import Signal, ramp
from scorer.scoring.compare.signals.document_pair import DocumentPair
from scorer.scoring.compare.signals.one_sided_defects import one_sided
from scorer.scoring.compare.vocabulary.word_relations import misspelled

_MANY_TYPOS = 3


def garbling(pair: DocumentPair) -> Signal:
    """Return a signal that measures whether a text is garbled, or misspells many words of the other text."""
    by_defect = one_sided("garbling", *garbled_text(pair.left, pair.right))
    typos = _misspelled_words(pair.alignment)
    words = max(1, min(len(pair.left.tokens), len(pair.right.tokens)))
    degree = ramp(len(typos) / words, 0.02, 0.1) if len(typos) >= _MANY_TYPOS else 0.0
    if degree <= by_defect.divergence:
        return by_defect
    return Signal("garbling", degree, reason=f"{len(typos)} misspelled words, such as “{typos[0]}”")


def _misspelled_words(alignment: Alignment) -> list[str]:
    """Return the words of the right text that misspell a word of the left text."""
    pairs = [p for e in alignment.edits if len(e.left) == len(e.right) for p in zip(e.left, e.right, strict=True)]
    return [b.surface for a, b in pairs if not a.number and misspelled(a.key, b.key, alignment.lexicon)]
