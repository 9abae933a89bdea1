"""Compare two free texts. docs/reference/scoring.md explains how the signals are combined into one agreement."""

from __future__ import annotations

from dataclasses import replace

from rapidfuzz.distance import Levenshtein

from glidepath.config.comparison import ScoringSection
from scorer.scoring.compare.agreement import apply_noise_floor, combine
from scorer.scoring.compare.alignment.line_order import bullets_in_order_of, moved_line
from scorer.scoring.compare.alignment.word_alignment import Alignment, align
from scorer.scoring.compare.code.broken_code import broken_code
from scorer.scoring.compare.code.code_diff import CodeDifference, compare_code
from scorer.scoring.compare.defects.defect import Defect
from scorer.scoring.compare.defects.garbled_text import garbled_text
from scorer.scoring.compare.defects.leaked_tokens import leaked_tokens
from scorer.scoring.compare.defects.refusals import refusal
from scorer.scoring.compare.defects.repeated_passages import repeated_passages
from scorer.scoring.compare.noise_floor import UNKNOWN, NoiseFloor
from scorer.scoring.compare.result import Comparison, Signal, ramp
from scorer.scoring.compare.signals import content_signals, form_signals
from scorer.scoring.compare.signals.final_answers import final_answers
from scorer.scoring.compare.signals.truncation import missing_last_sentence, truncation
from scorer.scoring.compare.similarity.embedding_similarity import SAME_TEXT, Similarity
from scorer.scoring.compare.text.parsed_document import Document

FACTS = (
    content_signals.numbers,
    content_signals.negation,
    content_signals.swapped_words,
    content_signals.names,
    content_signals.omission,
    content_signals.wording,
)
_BOTH_REFUSE = 0.95  # the lowest similarity of two refusals


def needs_embedding(left: Document, right: Document) -> bool:
    """Return whether two texts must be embedded: if their canonical forms differ and neither form is empty."""
    if left.text == right.text:
        return False  # saves computing the canonical forms
    return bool(left.canonical and right.canonical and left.canonical != right.canonical)


def compare_text(
    left: Document,
    right: Document,
    settings: ScoringSection,
    similarity: Similarity | None = None,
    floor: NoiseFloor = UNKNOWN,
) -> Comparison:
    """Compare two texts. ``similarity`` is required if ``needs_embedding`` returns True for the texts.

    If the texts are swapped, the agreement does not change, except that an omission by the candidate counts more than
    an addition. The flag of a defect in the baseline's text has the prefix ``baseline_``.
    """
    if left == right:
        return combine(1.0, (), settings, {"cosine": 1.0, "cosine_worst": 1.0, "word_overlap": 1.0})
    if similarity is None:
        similarity = SAME_TEXT if left.canonical == right.canonical else Similarity(0.0, 0.0)
    left, right, reordered = _prepared(left, right)
    refusals = refusal(left), refusal(right)
    if min(r.severity for r in refusals) >= 1:
        return _both_refuse(similarity, settings)
    code = compare_code(left.text, right.text)
    alignment = _alignment(left, right, reordered, code)
    signals = _content_signals(left, right, alignment, settings, floor)
    signals += _form_signals(left, right, alignment, refusals, code)
    signals.append(form_signals.off_topic(similarity, alignment))
    measures = {
        "cosine": round(similarity.mean, 4),
        "cosine_worst": round(similarity.worst, 4),
        "word_overlap": round(alignment.word_overlap, 4),
    }
    result = combine(_overall_similarity(similarity, alignment), signals, settings, measures)
    return _with_compared_share(result, left, right)


def _prepared(left: Document, right: Document) -> tuple[Document, Document, bool]:
    """Return the two documents as they are compared, and whether a bulleted list was reordered.

    The bullets of ``right`` are put in the order of ``left`` if their order does not matter. If both texts end with
    offers of help that differ only a little, these offers are compared, too.
    """
    ordered = bullets_in_order_of(right.text, left.text)
    if ordered is not None:
        right = replace(right, text=ordered)
    offers = left.canonical_form.closing_offers, right.canonical_form.closing_offers
    if all(offers) and offers[0] != offers[1] and Levenshtein.normalized_similarity(*offers) >= 0.6:
        left, right = replace(left, with_offers=True), replace(right, with_offers=True)
    return left, right, ordered is not None


def _both_refuse(similarity: Similarity, settings: ScoringSection) -> Comparison:
    measures = {"cosine": round(similarity.mean, 4), "cosine_worst": round(similarity.worst, 4)}
    signals = [Signal("refusal", 0.0)]
    return combine(max(similarity.score, _BOTH_REFUSE), signals, settings, measures)


def _alignment(left: Document, right: Document, reordered: bool, code: CodeDifference) -> Alignment:
    alignment = align(left.tokens, right.tokens)
    if reordered:
        alignment = replace(alignment, reordered_lists=("the lines of a list", *alignment.reordered_lists))
    if code.cosmetic:  # the programs are equivalent, so edits inside the code are ignored
        edits = tuple(e for e in alignment.edits if not all(t.code for t in (*e.left, *e.right)))
        alignment = replace(alignment, edits=edits)
    return alignment


def _content_signals(
    left: Document, right: Document, alignment: Alignment, settings: ScoringSection, floor: NoiseFloor
) -> list[Signal]:
    overlap_relevance = ramp(alignment.word_overlap, 0.3, 0.6)
    signals = [
        apply_noise_floor(fact(left, right, alignment), floor, overlap_relevance, settings.floor_rate) for fact in FACTS
    ]
    omitted = missing_last_sentence(left, right, alignment)
    if omitted is not None:
        signals = [omitted if s.name == omitted.name and s.effect < omitted.effect else s for s in signals]
    moved = moved_line(left.text, right.text)
    if moved:
        signals = [Signal("swapped_words", 1.0, reason=moved) if s.name == "swapped_words" else s for s in signals]
    return signals


def _form_signals(
    left: Document, right: Document, alignment: Alignment, refusals: tuple[Defect, Defect], code: CodeDifference
) -> list[Signal]:
    found = [
        form_signals.one_sided("refusal", *refusals),
        form_signals.empty(left, right),
        form_signals.length(left, right),
        truncation(left, right, alignment),
        form_signals.repetition(repeated_passages(left), repeated_passages(right), alignment),
        form_signals.language(left.text, right.text),
        form_signals.garbling(*garbled_text(left, right), alignment),
        form_signals.one_sided("leaked_tokens", leaked_tokens(left), leaked_tokens(right)),
        _code_signal(left, right, code),
    ]
    optional = (final_answers(left, right), form_signals.confidence(left, right))
    return [*found, *(signal for signal in optional if signal is not None)]


def _code_signal(left: Document, right: Document, difference: CodeDifference) -> Signal:
    """Return the stronger of two signals: one for code that does not parse, and one for a difference in the code."""
    broken = form_signals.one_sided("code", broken_code(left.text), broken_code(right.text))
    if broken.effect >= difference.divergence * difference.relevance:
        return broken
    return Signal("code", difference.divergence, difference.relevance, difference.reason)


def _overall_similarity(similarity: Similarity, alignment: Alignment) -> float:
    """Return the similarity of the two texts, raised towards 1 if they have most words in common."""
    return similarity.score + (1 - similarity.score) * ramp(alignment.word_overlap, 0.7, 0.95)


def _with_compared_share(result: Comparison, left: Document, right: Document) -> Comparison:
    """Return the result with the measure ``compared_share`` added if only the beginning of an answer was compared."""
    share = min(left.compared_share, right.compared_share)
    if share >= 1:
        return result
    reason = f"only the first {share:.0%} of the longer answer's words were compared"
    return replace(
        result,
        signals={**result.signals, "compared_share": round(share, 4)},
        details={**result.details, "compared_share": reason},
    )
