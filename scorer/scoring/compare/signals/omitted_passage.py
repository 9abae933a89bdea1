"""The signal ``omission``: one of two similar texts leaves out a sentence, a clause or a table row."""

from __future__ import annotations

from collections.abc import Sequence

from scorer.scoring.compare.alignment.word_alignment import joined
from scorer.scoring.compare.result import Signal, ramp
from scorer.scoring.compare.signals.document_pair import DocumentPair
from scorer.scoring.compare.signals.filler_passages import is_filler
from scorer.scoring.compare.signals.truncation import missing_last_sentence
from scorer.scoring.compare.signals.word_edits import ALIGNED
from scorer.scoring.compare.text.parsed_document import Document
from scorer.scoring.compare.text.tokenizer import Token, is_name

_ADDED = 0.25  # weight of an addition, relative to an omission


def omission(pair: DocumentPair) -> Signal:
    """Return a signal that measures whether one of two similar texts leaves out a sentence, a clause or a table row.

    A missing end of a text counts as truncation instead, unless it is a closing remark. A remark without content counts
    as nothing. A passage that only the candidate has counts less than a passage that the candidate leaves out.
    """
    edits = pair.alignment.edits
    inside, at_end = _inside(pair), missing_last_sentence(pair.left, pair.right, pair.alignment)
    if edits and is_filler(edits[-1], pair):
        return inside
    return at_end if at_end is not None and inside.effect < at_end.effect else inside


def _inside(pair: DocumentPair) -> Signal:
    left, right, alignment = pair.left, pair.right, pair.alignment
    edits = alignment.edits if alignment.word_overlap >= ALIGNED and alignment.closeness else ()
    worst = Signal("omission", 0.0, alignment.closeness)
    for edit in edits:
        if bool(edit.left) == bool(edit.right) or joined(edit.left or edit.right) in alignment.moved_passages:
            continue
        side, at, end = (left, edit.left_at, edit.left_end) if edit.left else (right, edit.right_at, edit.right_end)
        degree = _left_out(edit.left or edit.right, side, at, end, added=not edit.left)
        if degree > worst.divergence:
            reason = f"{edit} (word {at + 1})"
            worst = Signal("omission", degree, alignment.closeness, reason, not edit.left, pair.spans(edit))
    return worst


def _left_out(tokens: Sequence[Token], side: Document, at: int, end: int, added: bool) -> float:
    """Return the divergence, in [0, 1], that is due to a passage of the document ``side`` which the other one lacks.

    ``tokens`` are the tokens of the passage, which begins at token ``at`` of ``side`` and ends before token ``end``.
    ``added`` is True if ``side`` is the candidate's document.
    """
    content = sum(t.key not in side.lexicon.stop_words and not t.marker for t in tokens)
    restriction = content > 0 and any(t.key in side.lexicon.restrictions for t in tokens)
    if end == len(side.tokens):
        return 0.0
    if at == 0 and (added or side.canonical[: side.tokens[end].start].rstrip().endswith(":")):
        return 0.0  # a greeting, a heading, or an introductory line
    if restriction:
        return 0.6 if added else 1.0
    facts = sum(t.number or is_name(t) for t in tokens if not t.marker)  # a row of a table
    return ramp(content + facts, 1.5, 4.5) * (_ADDED if added else 1.0)
