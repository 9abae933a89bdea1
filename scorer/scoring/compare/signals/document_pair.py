"""The two texts of a comparison, with the results that several signals need: word alignment and code comparison.

Differences in content change the cosine of two texts only a little. Therefore the signals about words use the
alignment: the divergence of such a signal is the greatest change in an aligned passage, and its relevance is the
closeness of the wording. Cost: 5 to 20 µs for each signal and 100 words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from scorer.scoring.compare.alignment.word_alignment import Alignment, Edit, align
from scorer.scoring.compare.code.code_diff import CodeDifference, compare_code
from scorer.scoring.compare.defects.defect import Defect
from scorer.scoring.compare.defects.refusals import refusal
from scorer.scoring.compare.result import Signal, Span
from scorer.scoring.compare.similarity.embedding_similarity import SAME_TEXT, Similarity
from scorer.scoring.compare.text.parsed_document import Document
from scorer.scoring.compare.text.tokens import Token
from scorer.scoring.compare.vocabulary.lexicon import UNKNOWN, Lexicon, lexicon_of


@dataclass(frozen=True)
class DocumentPair:
    """The baseline's text (``left``), the candidate's (``right``), and the similarity of their meaning."""

    left: Document
    right: Document
    similarity: Similarity = SAME_TEXT

    @cached_property
    def refusals(self) -> tuple[Defect, Defect]:
        return refusal(self.left), refusal(self.right)

    @cached_property
    def lexicon(self) -> Lexicon:
        """The lexicon of the texts' language. If the languages differ, it has only the words of ``any.toml``."""
        known = {text.lexicon.language: text.lexicon for text in (self.left, self.right)}
        known = {language: words for language, words in known.items() if language != UNKNOWN}
        return next(iter(known.values())) if len(known) == 1 else lexicon_of(UNKNOWN)

    @cached_property
    def code(self) -> CodeDifference:
        return compare_code(self.left, self.right)

    @cached_property
    def alignment(self) -> Alignment:
        """The alignment of the words. If the programs of the texts are equivalent, edits inside code are left out."""
        found = align(self.left.tokens, self.right.tokens, self.lexicon)
        if self.code.cosmetic:
            edits = tuple(e for e in found.edits if not all(t.code for t in (*e.left, *e.right)))
            found = replace(found, edits=edits)
        return found

    def spans(self, edit: Edit | None) -> tuple[Span, ...]:
        """Return the places of an edit in the two texts."""
        if edit is None:
            return ()
        sides = ((self.left, edit.left, True), (self.right, edit.right, False))
        return tuple(_span(document, tokens, left) for document, tokens, left in sides if tokens)


Feature = Callable[[DocumentPair], Signal | None]  # None: the texts have nothing to compare
ALIGNED = 0.3  # below this word overlap, an alignment is random and its edits are ignored


def greatest_change(
    name: str,
    pair: DocumentPair,
    changed: Callable[[Edit, Alignment], float],
    elsewhere: float = 0.0,
    *,
    moved: bool = False,
) -> Signal:
    """Return a signal called ``name``. Its divergence is the greatest result of ``changed`` over all edits.

    - ``elsewhere``: the distance, in [0, 1], between the words of the two texts that this signal compares, such as
      their numbers. The places of the words do not matter. The divergence is at least ``elsewhere`` × (1 - the
      closeness of the texts).
    - ``moved``: whether passages that only moved are examined, too.
    """
    alignment = pair.alignment
    edits: tuple[Edit, ...] = ()
    if alignment.word_overlap >= ALIGNED:
        edits = alignment.edits if moved else alignment.edits_in_place
    hits = [(changed(edit, alignment), edit) for edit in edits]
    worst, where = max(hits, key=lambda hit: hit[0], default=(0.0, None))
    where = where if worst > 0 else None
    # The closer the texts are, the more reliable the aligned passages, and the less the distance ``elsewhere`` counts.
    divergence = max(worst, elsewhere * (1 - alignment.closeness))
    reason = f"{where} (word {where.left_at + 1})" if where is not None else ""
    if not reason and divergence > 0:
        reason = f"{divergence:.0%} of them differ"
    return Signal(name, divergence, alignment.closeness, reason, spans=pair.spans(where))


def _span(document: Document, tokens: tuple[Token, ...], left: bool) -> Span:
    first, last = (document.index_of(token) for token in (tokens[0], tokens[-1]))
    return Span(left, document.places[first], document.places[last] + len(tokens[-1].surface))
