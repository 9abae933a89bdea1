"""The way in: which task's comparison two answers need, and what has to be embedded for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from glidepath.config.comparison import ScoringSection, Task
from scorer.scoring.answers.answer import Expectation, Extracted, FinishReason, Surface
from scorer.scoring.compare.noise_floor import UNKNOWN, NoiseFloor
from scorer.scoring.compare.result import Comparison
from scorer.scoring.compare.tasks.choices import MISSING as NO_CHOICE
from scorer.scoring.compare.tasks.choices import over_choices, paired_choices
from scorer.scoring.compare.tasks.classification import compare_labels
from scorer.scoring.compare.tasks.embedding_vectors import NotComparableError, compare_vectors
from scorer.scoring.compare.tasks.extraction import MISSING, compare_json, parse_json
from scorer.scoring.compare.tasks.free_text import compare_text, needs_embedding
from scorer.scoring.compare.tasks.ranking import compare_rankings
from scorer.scoring.compare.tasks.tool_calls import compare_tools
from scorer.scoring.compare.text.character_similarity import as_unread, by_characters
from scorer.scoring.compare.text.document import Reading
from scorer.scoring.compare.text.embedding_similarity import SAME, meaning
from scorer.scoring.embed.engine_protocol import Vectors

_RANKINGS = (Surface.COHERE_RERANK, Surface.TEI_RERANK)


@dataclass(frozen=True, slots=True)
class Unscorable:
    """The answers cannot be held against each other (vectors of two spaces, a text where a ranking should be)."""

    reason: str
    detail: str = ""


def resolve_task(task: Task, expectation: Expectation, left: Extracted, right: Extracted) -> Task:
    """What ``auto`` means for these answers: what they hold, then what the request asked for."""
    if task != "auto":
        return task
    if left.vectors or right.vectors:
        return "embeddings"
    if left.ranking or right.ranking:
        return "rerank"
    if left.label or right.label:
        return "classification"
    if left.tool_calls or right.tool_calls:
        return "tools"
    if expectation.json_mode or (_json(left) is not MISSING and isinstance(_json(left), dict | list)):
        return "extraction"
    return "chat"


def texts_to_embed(
    task: Task, settings: ScoringSection, expectation: Expectation, left: Extracted, right: Extracted
) -> tuple[str, ...]:
    """The texts whose vectors ``compare`` needs: two a choice, or none."""
    del settings
    kind = resolve_task(task, expectation, left, right)
    if _several(kind, left, right):
        pairs = [pair for pair in paired_choices(left, right) if pair is not None]
    else:
        pairs = [(left, right)]
    return tuple(text for a, b in pairs for text in _texts(kind, expectation, a, b))


def _texts(kind: Task, expectation: Expectation, left: Extracted, right: Extracted) -> tuple[str, ...]:
    if not _texts_count(kind, expectation, left, right):
        return ()
    a, b = _read(left), _read(right)
    return (a.canonical, b.canonical) if needs_embedding(a, b) else ()


def _several(kind: Task, left: Extracted, right: Extracted) -> bool:
    return kind not in ("embeddings", "rerank") and max(len(left.choices), len(right.choices)) > 1


def compare(
    task: Task,
    settings: ScoringSection,
    expectation: Expectation,
    left: Extracted,
    right: Extracted,
    vectors: Mapping[str, Vectors],
    floor: NoiseFloor = UNKNOWN,
) -> Comparison | Unscorable:
    """Compare the baseline's answer (``left``) with the candidate's. ``vectors``: those of ``texts_to_embed``, by text.

    Raises KeyError when one is missing. Of several choices all are compared.
    """
    kind = resolve_task(task, expectation, left, right)
    if kind == "embeddings":
        return _compare_vectors(settings, left, right)
    if kind == "rerank":
        if not all(side.ranking or side.surface in _RANKINGS for side in (left, right)):
            return Unscorable("no_ranking", "an answer holds no ranking")
        return compare_rankings(left.ranking, right.ranking, settings.rerank.k)
    if _several(kind, left, right):
        pairs = paired_choices(left, right)
        results = [
            _compare_one(kind, settings, expectation, *pair, vectors, floor) if pair is not None else NO_CHOICE
            for pair in pairs
        ]
        return over_choices(results)
    return _compare_one(kind, settings, expectation, left, right, vectors, floor)


def _compare_one(
    kind: Task,
    settings: ScoringSection,
    expectation: Expectation,
    left: Extracted,
    right: Extracted,
    vectors: Mapping[str, Vectors],
    floor: NoiseFloor,
) -> Comparison:
    """One choice of each side."""
    if kind == "classification":
        return compare_labels(left.label or left.text, right.label or right.text, settings.classification)
    if kind == "extraction" and not _texts_count(kind, expectation, left, right):
        return compare_json(_json(left), _json(right), expectation.schema, settings)
    text = None
    if _texts_count(kind, expectation, left, right):
        text = _compare_texts(_read(left), _read(right), settings, vectors, floor)
    if left.tool_calls or right.tool_calls:
        calls = compare_tools(left.tool_calls, right.tool_calls, settings.extraction)
        return _both(calls, text) if text is not None else calls
    return text if text is not None else Comparison(1.0)


def _texts_count(kind: Task, expectation: Expectation, left: Extracted, right: Extracted) -> bool:
    """Whether the texts themselves are compared: not beside tool calls, where a model may say something or nothing."""
    del expectation
    if kind in ("embeddings", "rerank", "classification"):
        return False
    if kind == "extraction":
        return _json(left) is MISSING and _json(right) is MISSING
    return not (left.tool_calls and right.tool_calls) and not (
        kind == "tools" and (left.tool_calls or right.tool_calls)
    )


def _both(calls: Comparison, text: Comparison) -> Comparison:
    return replace(
        calls,
        agreement=calls.agreement * text.agreement,
        flags=(*calls.flags, *text.flags),
        signals={**text.signals, **calls.signals},
        details={**text.details, **calls.details},
    )


def _compare_vectors(settings: ScoringSection, left: Extracted, right: Extracted) -> Comparison | Unscorable:
    if not left.vectors or not right.vectors:
        return Unscorable("no_vectors", "an answer holds no vectors")
    same_model = bool(left.model) and left.model == right.model
    try:
        return compare_vectors(left.vectors, right.vectors, same_model, settings.embeddings)
    except NotComparableError as error:
        return Unscorable("no_common_space", str(error))


def _json(answer: Extracted) -> object:
    if answer.structured_error:
        return MISSING
    return answer.structured if answer.structured is not None else parse_json(answer.text)


def _read(answer: Extracted) -> Reading:
    refused = bool(answer.refusal) or answer.finish_reason is FinishReason.CONTENT_FILTER
    cut = answer.finish_reason is FinishReason.LENGTH
    return Reading(answer.text or answer.refusal, cut=cut, refused=refused, logprobs=answer.logprobs)


def _compare_texts(
    a: Reading, b: Reading, settings: ScoringSection, vectors: Mapping[str, Vectors], floor: NoiseFloor
) -> Comparison:
    if not needs_embedding(a, b):
        same = SAME if a.text == b.text or a.canonical == b.canonical else None
        return compare_text(a, b, settings, same, floor)
    left, right = vectors[a.canonical], vectors[b.canonical]
    if len(left) and len(right):
        return compare_text(a, b, settings, meaning(left, right), floor)
    said = by_characters(a.canonical, b.canonical)
    return as_unread(compare_text(a, b, settings, said, floor), said, settings.flag_meaning)
