"""Choose how two answers to a task are compared, and which texts must be embedded for the comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from glidepath.config.comparison import ScoringSection, Task
from scorer.scoring.answers.answer import Expectation, Extracted, FinishReason, Surface
from scorer.scoring.compare.learned_parameters import LearnedParameters
from scorer.scoring.compare.result import Comparison
from scorer.scoring.compare.similarity.character_similarity import character_similarity, mark_unknown_script
from scorer.scoring.compare.similarity.embedding_similarity import SAME_TEXT, Similarity, chunk_similarity
from scorer.scoring.compare.tasks.classification import compare_labels
from scorer.scoring.compare.tasks.embedding_vectors import NotComparableError, compare_vectors
from scorer.scoring.compare.tasks.extraction import MISSING, JsonAnswer, compare_json_answers, find_json, parse_json
from scorer.scoring.compare.tasks.free_text import compare_text, needs_embedding
from scorer.scoring.compare.tasks.multiple_choices import MISSING_CHOICE, combine_choices, pair_choices
from scorer.scoring.compare.tasks.ranking import compare_rankings
from scorer.scoring.compare.tasks.tool_calls import compare_tools
from scorer.scoring.compare.text.parsed_document import Document
from scorer.scoring.embed.engine_protocol import Vectors
from scorer.scoring.embed.model_traits import SAME_SCALE, CosineMap

_RANKINGS = (Surface.COHERE_RERANK, Surface.TEI_RERANK)


@dataclass(frozen=True, slots=True)
class Unscorable:
    """The reason why two answers cannot be compared, for example because only one of them is a ranking."""

    reason: str
    detail: str = ""


def resolve_task(task: Task, expectation: Expectation, left: Extracted, right: Extracted) -> Task:
    """Return ``task``. If ``task`` is "auto", return the task that fits the answers and the request."""
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


def texts_to_embed(task: Task, expectation: Expectation, left: Extracted, right: Extracted) -> tuple[str, ...]:
    """Return the texts whose vectors ``compare`` needs: the left and the right text of each pair of choices.

    Pairs that are not compared by vectors, such as pairs of equal texts, are left out.
    """
    kind = resolve_task(task, expectation, left, right)
    if _has_several_choices(kind, left, right):
        pairs = [pair for pair in pair_choices(left, right) if pair is not None]
    else:
        pairs = [(left, right)]
    return tuple(text for a, b in pairs for text in _texts(kind, a, b))


def _texts(kind: Task, left: Extracted, right: Extracted) -> tuple[str, ...]:
    if not _compares_texts(kind, left, right):
        return ()
    a, b = _document(left), _document(right)
    return (a.canonical, b.canonical) if needs_embedding(a, b) else ()


def _has_several_choices(kind: Task, left: Extracted, right: Extracted) -> bool:
    return kind not in ("embeddings", "rerank") and max(len(left.choices), len(right.choices)) > 1


def compare(
    task: Task,
    settings: ScoringSection,
    expectation: Expectation,
    left: Extracted,
    right: Extracted,
    vectors: Mapping[str, Vectors],
    known: LearnedParameters | None = None,
) -> Comparison | Unscorable:
    """Compare the baseline's answer (``left``) with the candidate's answer (``right``), with all their choices.

    ``vectors`` maps each text of ``texts_to_embed`` to its vectors. ``known``: facts about the workload. Raises
    KeyError if ``vectors`` lacks a text. Returns Unscorable if the answers cannot be compared.
    """
    kind = resolve_task(task, expectation, left, right)
    if kind == "embeddings":
        return _compare_vectors(settings, left, right)
    if kind == "rerank":
        if not all(side.ranking or side.surface in _RANKINGS for side in (left, right)):
            return Unscorable("no_ranking", "an answer has no ranking")
        return compare_rankings(left.ranking, right.ranking, settings.rerank.k)
    if _has_several_choices(kind, left, right):
        results = [
            _compare_choice(kind, settings, expectation, *pair, vectors, known) if pair is not None else MISSING_CHOICE
            for pair in pair_choices(left, right)
        ]
        return combine_choices(results)
    return _compare_choice(kind, settings, expectation, left, right, vectors, known)


def _compare_choice(
    kind: Task,
    settings: ScoringSection,
    expectation: Expectation,
    left: Extracted,
    right: Extracted,
    vectors: Mapping[str, Vectors],
    known: LearnedParameters | None,
) -> Comparison:
    compares_texts = _compares_texts(kind, left, right)
    if kind == "classification":
        return compare_labels(left.label or left.text, right.label or right.text, settings.classification)
    if kind == "extraction" and not compares_texts:
        return compare_json_answers(_extracted(left), _extracted(right), expectation.schema, settings)
    text = None
    if compares_texts:
        text = _compare_texts(*_documents(left, right), settings, vectors, known)
    if left.tool_calls or right.tool_calls:
        calls = compare_tools(left.tool_calls, right.tool_calls, settings.extraction)
        return _merge(calls, text) if text is not None else calls
    return text if text is not None else Comparison(1.0)


def _compares_texts(kind: Task, left: Extracted, right: Extracted) -> bool:
    """Return whether the free texts of two answers are compared.

    A text that accompanies tool calls is not compared, because a model may add such a text or leave it out.
    """
    if kind in ("embeddings", "rerank", "classification"):
        return False
    if kind == "extraction":
        return _extracted(left).value is MISSING and _extracted(right).value is MISSING
    return not (left.tool_calls and right.tool_calls) and not (
        kind == "tools" and (left.tool_calls or right.tool_calls)
    )


def _merge(calls: Comparison, text: Comparison) -> Comparison:
    return replace(
        calls,
        agreement=calls.agreement * text.agreement,
        flags=(*calls.flags, *text.flags),
        signals={**text.signals, **calls.signals},
        details={**text.details, **calls.details},
    )


def _compare_vectors(settings: ScoringSection, left: Extracted, right: Extracted) -> Comparison | Unscorable:
    if not left.vectors or not right.vectors:
        return Unscorable("no_vectors", "an answer has no vectors")
    same_model = bool(left.model) and left.model == right.model
    try:
        return compare_vectors(left.vectors, right.vectors, same_model, settings.embeddings)
    except NotComparableError as error:
        return Unscorable("no_common_space", str(error))


def _json(answer: Extracted) -> object:
    if answer.structured_error:
        return MISSING
    return answer.structured if answer.structured is not None else parse_json(answer.text)


def _extracted(answer: Extracted) -> JsonAnswer:
    """Return the JSON of an answer. If the request asks for JSON only, JSON in prose does not count."""
    if answer.structured_error or answer.structured is not None:
        return JsonAnswer(_json(answer))
    return find_json(answer.text)


def _document(answer: Extracted) -> Document:
    refused = bool(answer.refusal) or answer.finish_reason is FinishReason.CONTENT_FILTER
    cut = answer.finish_reason is FinishReason.LENGTH
    return Document(answer.text or answer.refusal, cut=cut, refused=refused, logprobs=answer.logprobs)


def _documents(left: Extracted, right: Extracted) -> tuple[Document, Document]:
    """Return the documents of two answers to one request. Each document helps to detect the language of the other."""
    one, other = _document(left), _document(right)
    return replace(one, beside=other.text), replace(other, beside=one.text)


def _compare_texts(
    a: Document, b: Document, settings: ScoringSection, vectors: Mapping[str, Vectors], known: LearnedParameters | None
) -> Comparison:
    similarity = text_similarity(a, b, vectors, known.cosine_map if known else SAME_SCALE)
    result = compare_text(a, b, settings, similarity, known)
    if similarity is None or not similarity.by_characters:
        return result
    return mark_unknown_script(result, similarity, settings.flag_meaning)


def text_similarity(
    a: Document, b: Document, vectors: Mapping[str, Vectors], cosine_map: CosineMap
) -> Similarity | None:
    """Return the similarity of two texts, or None if one of them is empty and the other is not.

    ``vectors``: the vectors of both canonical texts; required if ``needs_embedding`` is true. ``cosine_map``: the
    cosine map of the embedding model. If this model cannot read one of the texts, their characters are compared.
    """
    if not needs_embedding(a, b):
        return SAME_TEXT if a.text == b.text or a.canonical == b.canonical else None
    left, right = vectors[a.canonical], vectors[b.canonical]
    if len(left) and len(right):
        return chunk_similarity(left, right, cosine_map)
    return character_similarity(a.canonical, b.canonical)
