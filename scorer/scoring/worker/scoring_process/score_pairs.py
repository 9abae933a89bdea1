"""From pairs to scores: extract both answers, embed what needs it in one go, compare. Pure but for the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from glidepath.config import Config, Workload
from glidepath.domain import Answer, AnswerFacts, Ending, Pair, ScoredPair
from scorer.scoring.answers import (
    CustomSurface,
    Expectation,
    Extracted,
    Surface,
    Unusable,
    expectation,
    extract,
)
from scorer.scoring.compare import UNKNOWN, Comparison, NoiseFloor, Unscorable, compare, texts_to_embed
from scorer.scoring.compare.evaluator.questions import Doubt, in_doubt
from scorer.scoring.embed import Embedder, VectorCache, Vectors, embed_texts
from scorer.scoring.worker.unscored_result import facts_without_body, unscored

_NOTHING = Extracted(Surface.UNKNOWN)


@dataclass(frozen=True, slots=True)
class _ExtractedPair:
    """A pair with both answers read; ``texts`` are the two that must be embedded, or none."""

    pair: Pair
    workload: Workload
    expected: Expectation
    baseline: Extracted
    candidate: Extracted
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScoringOutcome:
    """A score; ``doubt``: what to ask the workload's evaluator, where it has one and the pair is in doubt."""

    scored: ScoredPair
    doubt: Doubt | None = None


@dataclass(slots=True)
class ScoringContext:
    """What a scorer keeps between batches: configuration, engine, and the texts seen lately."""

    config: Config
    embedder: Embedder
    cache: VectorCache = field(default_factory=VectorCache)


def score_pairs(
    pairs: Sequence[Pair], scoring: ScoringContext, now_ms: int, floors: Mapping[str, NoiseFloor] | None = None
) -> list[ScoredPair]:
    """One ScoredPair a pair, in order. ``floors``: noise floor by workload. Raises UnreachableError (remote engine)."""
    return [judged.scored for judged in judge_pairs(pairs, scoring, now_ms, floors)]


def judge_pairs(
    pairs: Sequence[Pair], scoring: ScoringContext, now_ms: int, floors: Mapping[str, NoiseFloor] | None = None
) -> list[ScoringOutcome]:
    """The same, with what is left to ask."""
    read = [_read(pair, scoring.config, now_ms) for pair in pairs]
    texts = list(dict.fromkeys(text for one in read if isinstance(one, _ExtractedPair) for text in one.texts))
    vectors = dict(zip(texts, embed_texts(scoring.embedder, texts, scoring.cache), strict=True))
    known = floors or {}
    return [
        ScoringOutcome(one)
        if isinstance(one, ScoredPair)
        else _compare(one, vectors, scoring, now_ms, known.get(one.pair.workload))
        for one in read
    ]


def _read(pair: Pair, config: Config, now_ms: int) -> _ExtractedPair | ScoredPair:
    workload = config.workloads.get(pair.workload)
    if workload is None:
        return unscored(pair, now_ms, "unknown_workload")
    custom = _custom(workload)
    sides = [_extract(pair, answer, custom) for answer in (pair.baseline, pair.candidate)]
    for name, answer, found in zip(("baseline", "candidate"), (pair.baseline, pair.candidate), sides, strict=True):
        reason = _why_not(answer, found)
        if reason:
            facts = [_facts(a, f, 0) for a, f in zip((pair.baseline, pair.candidate), sides, strict=True)]
            return unscored(pair, now_ms, f"{name}_{reason}", *facts)
    baseline, candidate = sides
    if pair.request_cut or not isinstance(baseline, Extracted) or not isinstance(candidate, Extracted):
        return unscored(pair, now_ms, "request_cut")
    expected = expectation(pair.path, pair.request_body)
    texts = texts_to_embed(workload.task, workload.scoring, expected, baseline, candidate)
    return _ExtractedPair(pair, workload, expected, baseline, candidate, texts)


def _custom(workload: Workload) -> CustomSurface | None:
    answer = workload.scoring.answer
    return CustomSurface(answer.jsonpath, answer.done) if answer else None


def _extract(pair: Pair, answer: Answer, custom: CustomSurface | None) -> Extracted | Unusable:
    return extract(
        path=pair.path,
        content_type=answer.content_type,
        status=answer.status,
        request_body=pair.request_body,
        response_body=answer.body,
        body_cut=answer.body_cut,
        custom=custom,
    )


def _why_not(answer: Answer, found: Extracted | Unusable) -> str:
    """Why an answer is not scored, or "". One of few words, since it becomes a metric's label."""
    if answer.ending is not Ending.COMPLETE:
        return answer.ending.value
    if not 200 <= answer.status < 300:
        return "status"
    if answer.failed_over:
        return "failed_over"
    if answer.body_cut:
        return "cut"
    return found.reason.value if isinstance(found, Unusable) else ""


def _compare(
    ready: _ExtractedPair,
    vectors: Mapping[str, Vectors],
    scoring: ScoringContext,
    now_ms: int,
    floor: NoiseFloor | None,
) -> ScoringOutcome:
    pair, settings = ready.pair, ready.workload.scoring
    excerpts = scoring.config.redaction.excerpts
    baseline = _facts(pair.baseline, ready.baseline, excerpts)
    candidate = _facts(pair.candidate, ready.candidate, excerpts)
    task = ready.workload.task
    # Both kinds by one measure, or quality_margin would compare two. The floor counts raw divergences: it is the same.
    result = compare(task, settings, ready.expected, ready.baseline, ready.candidate, vectors, floor or UNKNOWN)
    if isinstance(result, Unscorable):
        return ScoringOutcome(unscored(pair, now_ms, result.reason, baseline, candidate))
    scored = ScoredPair(
        pair_id=pair.id,
        workload=pair.workload,
        kind=pair.kind,
        captured_at_ms=pair.captured_at_ms,
        scored_at_ms=now_ms,
        scored=True,
        agreement=result.agreement,
        flags=result.flags,
        signals=dict(result.signals),
        baseline=baseline,
        candidate=candidate,
        sticky=pair.sticky,
        scorer=scoring.embedder.name,
        labels=dict(result.labels),
    )
    return ScoringOutcome(scored, _doubt(ready, result))


def _doubt(ready: _ExtractedPair, result: Comparison) -> Doubt | None:
    """Of both kinds of pair: were only one of them asked about, the noise floor would not compare."""
    section = ready.workload.scoring.evaluator
    if section is None or not in_doubt(result, section):
        return None
    texts = (ready.expected.prompt, ready.baseline.text, ready.candidate.text)
    # As on the way to the evaluator; half a surrogate pair would not survive the way there.
    cut = [text[: section.max_chars].encode("utf-8", "replace").decode() for text in texts]
    return Doubt(ready.pair.id, *cut)


def _facts(answer: Answer, found: Extracted | Unusable | None, excerpts: int) -> AnswerFacts:
    """``excerpts``: characters of the text that the redaction policy lets stay with the score."""
    said = found if isinstance(found, Extracted) else _NOTHING
    return replace(
        facts_without_body(answer),
        input_tokens=said.input_tokens,
        output_tokens=said.output_tokens,
        text_chars=len(said.text),
        finish_reason=said.finish_reason.value if isinstance(found, Extracted) else "",
        excerpt=said.text[:excerpts].encode("utf-8", "replace").decode(),
    )
