"""Compare two free texts. docs/reference/scoring.md explains how the signals are combined into one agreement."""

from __future__ import annotations

from dataclasses import replace

from glidepath.config.comparison import ScoringSection
from scorer.scoring.compare.combine_signals import FoundDifferences, apply_noise_floor, combine
from scorer.scoring.compare.learned_parameters import LearnedParameters
from scorer.scoring.compare.noise_floor import NoiseFloor
from scorer.scoring.compare.result import Comparison, Signal, ramp
from scorer.scoring.compare.signals.changed_names import names
from scorer.scoring.compare.signals.document_pair import DocumentPair, Feature
from scorer.scoring.compare.signals.final_answers import final_answers
from scorer.scoring.compare.signals.form_signals import (
    changed_code,
    confidence,
    garbling,
    language,
    length,
    off_topic,
    one_sided_emptiness,
    one_sided_leak,
    one_sided_refusal,
    repetition,
)
from scorer.scoring.compare.signals.missing_passages import omission, truncation
from scorer.scoring.compare.signals.operator_signs import operators
from scorer.scoring.compare.signals.word_changes import negation, numbers, swapped_words, wording
from scorer.scoring.compare.similarity.embedding_similarity import SAME_TEXT, Similarity
from scorer.scoring.compare.text.parsed_document import Document, ends_alike

# The signals. To add one, add its function here, and give its name a weight in glidepath/config/comparison.py.
# Two good answers may differ in such a signal about content, so its relevance depends on the noise floor (ADR 0034).
FACTS: tuple[Feature, ...] = (numbers, negation, swapped_words, names, omission, wording)
OTHERS: tuple[Feature, ...] = (
    one_sided_refusal,
    one_sided_emptiness,
    length,
    truncation,
    repetition,
    language,
    garbling,
    one_sided_leak,
    changed_code,
    operators,
    off_topic,
    final_answers,
    confidence,
)
PARTLY_COMPARED = "partly_compared"  # the flag if two texts differ in a part that was not compared word by word
_BOTH_REFUSE = 0.95  # the lowest similarity of two refusals


def measured(features: tuple[Feature, ...], pair: DocumentPair) -> list[Signal]:
    """Return the signals of the features that apply to the pair."""
    return [signal for feature in features if (signal := feature(pair)) is not None]


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
    known: LearnedParameters | None = None,
) -> Comparison:
    """Compare two texts. ``similarity`` is required if ``needs_embedding`` returns True for the texts.

    If the texts are swapped, the agreement does not change, except that an omission by the candidate counts more than
    an addition. The flag of a defect in the baseline's text has the prefix ``baseline_``.
    """
    known = known or LearnedParameters()
    found = found_differences(left, right, settings, similarity, known.floor)
    if isinstance(found, Comparison):
        return found
    measures = {
        "cosine": round(found.pair.similarity.mean, 4),
        "cosine_worst": round(found.pair.similarity.worst, 4),
        "word_overlap": round(found.pair.alignment.word_overlap, 4),
    }
    if found.pair.similarity.sampled:
        measures["embedding_sampled"] = 1.0
    return _with_compared_share(combine(found, settings, measures, known.weights), left, right)


def found_differences(
    left: Document, right: Document, settings: ScoringSection, similarity: Similarity | None, floor: NoiseFloor
) -> FoundDifferences | Comparison:
    """Return how two texts differ, or their comparison if they are equal or both refuse."""
    if left == right:
        # An equal final answer shows that both texts declare one, which the gate of exact answers counts.
        same = final_answers(DocumentPair(left, right, SAME_TEXT))
        declared = {} if same is None else {same.name: same.divergence}
        return Comparison(1.0, (), {"cosine": 1.0, "cosine_worst": 1.0, "word_overlap": 1.0, **declared})
    if similarity is None:
        similarity = SAME_TEXT if left.canonical == right.canonical else Similarity(0.0, 0.0)
    pair = DocumentPair(left, right, similarity)
    if min(one.severity for one in pair.refusals) >= 1:
        return _both_refuse(similarity)
    return FoundDifferences(pair, _overall_similarity(pair), (*_facts(pair, settings, floor), *measured(OTHERS, pair)))


def _both_refuse(similarity: Similarity) -> Comparison:
    measures = {"cosine": round(similarity.mean, 4), "cosine_worst": round(similarity.worst, 4), "refusal": 0.0}
    return Comparison(max(similarity.score, _BOTH_REFUSE), (), measures)


def _facts(pair: DocumentPair, settings: ScoringSection, floor: NoiseFloor) -> list[Signal]:
    overlap_relevance = ramp(pair.alignment.word_overlap, 0.3, 0.6)
    return [apply_noise_floor(fact, floor, overlap_relevance, settings.floor_rate) for fact in measured(FACTS, pair)]


def _overall_similarity(pair: DocumentPair) -> float:
    """Return the similarity of the two texts, raised towards 1 if they have most words in common.

    If only the beginning of an answer was compared and the remaining texts differ, the similarity is raised less: the
    increase is multiplied by the compared share.
    """
    similarity = pair.similarity.score
    compared = 1.0 if ends_alike(pair.left, pair.right) else _compared_share(pair.left, pair.right)
    return similarity + (1 - similarity) * ramp(pair.alignment.word_overlap, 0.7, 0.95) * compared


def _compared_share(left: Document, right: Document) -> float:
    return min(left.compared_share, right.compared_share)


def _with_compared_share(result: Comparison, left: Document, right: Document) -> Comparison:
    """Return the result with the measure ``compared_share`` added if only the beginning of an answer was compared.

    If the remaining texts differ, the flag "partly_compared" is added.
    """
    share = _compared_share(left, right)
    if share >= 1:
        return result
    reason = f"only the first {share:.0%} of the longer answer's words were compared"
    return replace(
        result,
        flags=result.flags if ends_alike(left, right) else (*result.flags, PARTLY_COMPARED),
        signals={**result.signals, "compared_share": round(share, 4)},
        details={**result.details, "compared_share": reason},
    )
