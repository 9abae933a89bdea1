"""Signals about a passage that one text lacks: the end of a text that was cut off, a sentence, a row of a table.

A sentence that says nothing ("Sure!", "I hope this helps.") does not count as a missing passage. See ADR 0035.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from scorer.scoring.compare.alignment.word_alignment import Alignment, Edit, joined
from scorer.scoring.compare.defects.defect import Defect, one_sided
from scorer.scoring.compare.defects.unfinished_text import unfinished_text
from scorer.scoring.compare.result import Signal, ramp
from scorer.scoring.compare.signals.document_pair import ALIGNED, DocumentPair
from scorer.scoring.compare.text.parsed_document import Document
from scorer.scoring.compare.text.tokens import Token, is_name

_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？", "؟", "।")
_CLOSING_MARKS = " \n\t\"'”’»」』)*_`"
_ROW = re.compile(r"[ \t]*(?:[-*+•|]|\d{1,3}[.)])[ \t|]*\S")  # a row of a list or of a table
_SHORT = 0.25  # largest share of a text's words for which two closing sentences count as a closing remark
_ADDED = 0.25  # weight of an addition, relative to an omission
_LONGEST_FILLER = 16  # words


def truncation(pair: DocumentPair) -> Signal:
    """Return a signal that measures whether one of two texts was cut off.

    A text counts as cut off in three cases: the provider reports it, the form of the text shows it, or the text is only
    the beginning of the other text.
    """
    left, right, alignment = pair.left, pair.right, pair.alignment
    cut = one_sided("truncation", _cut_off(left), _cut_off(right))
    tail = _missing_tail(left, right, alignment)
    if tail is None:
        # The texts have the same end, except perhaps for a full stop. A cut that the provider reports still counts.
        equal = 0.0 if left.cut != right.cut else alignment.contained_share * alignment.closeness
        return replace(cut, relevance=1 - equal)
    degree, words, baseline = tail
    if degree * alignment.contained_share > cut.effect:
        relevance = alignment.contained_share
        reason = f"the last {words} words are missing" if words > 0 else "the last word is cut"
        return Signal("truncation", degree, relevance, reason, baseline_at_fault=baseline)
    return cut


def missing_last_sentence(left: Document, right: Document, alignment: Alignment) -> Signal | None:
    """Return an omission signal if the candidate's text lacks only the baseline's closing remark, else None.

    A closing remark is one sentence or two short sentences. The divergence grows with the remark's share of the words
    in the baseline's text.
    """
    last = alignment.edits[-1] if alignment.edits else None
    if last is None or last.right or not last.left or last.left_end != len(alignment.left):
        return None
    share = len(last.left) / len(alignment.left)
    if not _is_closing_remark(last.left, right, left, share):
        return None
    return Signal("omission", ramp(share, 0.05, 0.35), alignment.contained_share, f"{last} (at the end)")


def _cut_off(document: Document) -> Defect:
    if document.cut:
        return Defect(1.0, "finish_reason: length")
    return unfinished_text(document)


def _missing_tail(left: Document, right: Document, alignment: Alignment) -> tuple[float, int, bool] | None:
    """Measure the ending that a text lacks if the text is only the beginning of the other text.

    Return three values: the divergence, the number of missing words, and whether the baseline's text lacks them. Return
    None if neither text is the beginning of the other text.
    """
    if not alignment.edits:
        return None
    last = alignment.edits[-1]
    at_end = last.left_end == len(alignment.left) and last.right_end == len(alignment.right)
    more, less = sorted((last.left, last.right), key=len, reverse=True)
    shorter = left if less is last.left else right
    half_word = len(less) == 1 and any(_begins(less[0], t, more) for t in more[:2]) and _breaks_off(shorter, less[0])
    if not at_end or (less and not half_word):
        return None
    longer = max(len(alignment.left), len(alignment.right))
    share = (len(more) - len(less)) / max(longer, 1)
    if len(more) - len(less) < 3 and not half_word:
        return None
    baseline = len(last.left) < len(last.right)
    if half_word or not (more[0].opens or shorter.text.rstrip().endswith(_SENTENCE_ENDS)):
        return 1.0, len(more) - len(less), baseline
    # The shorter text ends between two sentences. If it is the baseline's text, the candidate added the rest.
    added = baseline or _is_closing_remark(more, shorter, right if shorter is left else left, share)
    return 0.0 if added else 0.6 + 0.4 * ramp(share, 0.02, 0.1), len(more) - len(less), baseline


def _is_closing_remark(missing: Sequence[Token], shorter: Document, longer: Document, share: float) -> bool:
    """Return whether a complete text lacks only a closing remark of the other text, such as an offer or a wish.

    ``missing`` contains the words that ``shorter`` lacks, and ``share`` is their share of the words of ``longer``. A
    closing remark is one sentence or two short sentences. A list or a table without its last row is not complete.
    """
    sentences = sum(t.opens for t in missing)
    if not missing[0].opens or sentences > 2 or (sentences > 1 and share > _SHORT):
        return False
    if shorter.cut or unfinished_text(shorter).severity or not _ends_with_sentence(shorter.text):
        return False
    return _ROW.match(longer.text.rstrip().rsplit("\n", 1)[-1]) is None


def _ends_with_sentence(text: str) -> bool:
    """Return whether the text ends with a complete sentence. Quotes, brackets and emoji after it are ignored."""
    end = text[-40:]
    while end and (end[-1] in _CLOSING_MARKS or unicodedata.category(end[-1]) in ("So", "Sk", "Cf", "Mn")):
        end = end[:-1]
    return end.endswith(_SENTENCE_ENDS)


def _begins(part: Token, whole: Token, missing: Sequence[Token]) -> bool:
    """Return whether the word ``part`` is the beginning of the longer word ``whole``, as if ``whole`` was cut off.

    A single letter counts only if more than one word is missing.
    """
    return (len(part.key) > 1 or len(missing) > 1) and whole.key.startswith(part.key) and whole.key != part.key


def _breaks_off(document: Document, last: Token) -> bool:
    """Return whether the text ends with the word ``last``, with no punctuation after this word.

    If the word comes after a number, return False, because the word may be a unit (20 °C).
    """
    before = document.canonical[max(0, last.start - 3) : last.start].rstrip(" °")
    return document.canonical.endswith(last.surface) and not before[-1:].isdigit()


def omission(pair: DocumentPair) -> Signal:
    """Return a signal that measures whether one of two similar texts leaves out a sentence, a clause or a table row.

    A missing end of a text counts as truncation instead, unless it is a closing remark. A remark without content does
    not count. A passage that only the candidate has counts less than a passage that the candidate leaves out.
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
    """Return the divergence, in [0, 1], for a passage of the document ``side`` that the other document lacks.

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


def is_filler(edit: Edit, pair: DocumentPair) -> bool:
    """Return whether an edit only adds or removes whole sentences without content, at the start or end of a text."""
    tokens = edit.left or edit.right
    document, at, end = (
        (pair.left, edit.left_at, edit.left_end) if edit.left else (pair.right, edit.right_at, edit.right_end)
    )
    whole = tokens[0].opens and (end == len(document.tokens) or document.tokens[end].opens)
    at_edge = at == 0 or end == len(document.tokens)
    if (edit.left and edit.right) or len(tokens) > _LONGEST_FILLER or not (whole and at_edge):
        return False
    without = pair.lexicon.stop_words
    return all(t.key in pair.lexicon.filler or (t.key in without and not pair.lexicon.negates(t.key)) for t in tokens)
