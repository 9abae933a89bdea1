"""Score pairs: extract both answers of each pair, embed all texts of the batch in one call, and compare the answers.

Only the embedding engine does I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from glidepath.agreement_weights import workload_weights
from glidepath.answer_faults import AnswerFault
from glidepath.config import Config, Workload
from glidepath.config.comparison import FREE_TEXT
from glidepath.pair_scores import EQUAL, AnswerFacts, Preference, ScoredPair
from glidepath.pairs import Answer, Ending, Pair, PairKind
from glidepath.sides import Side
from scorer.scoring.answers import (
    CustomSurface,
    Expectation,
    Extracted,
    Surface,
    Unusable,
    expectation,
    extract,
)
from scorer.scoring.compare import (
    UNKNOWN,
    LearnedParameters,
    NoiseFloor,
    Unscorable,
    compare,
    resolve_task,
    texts_to_embed,
)
from scorer.scoring.compare.evaluator.pairs_to_judge import to_judge
from scorer.scoring.compare.evaluator.questions import AnswersToJudge
from scorer.scoring.compare.text.parsed_document import Document
from scorer.scoring.contract_signals import ReadAnswer, contract_signals
from scorer.scoring.embed import Embedder, VectorCache, Vectors, embed_texts, traits_of
from scorer.scoring.judge.answers_repeated_across_prompts import RepeatedAnswers
from scorer.scoring.judge.judge_answer import judge_answer
from scorer.scoring.verify.pairs_to_verify import to_verify
from scorer.scoring.verify.verifier_messages import PairToVerify, VerifierInput
from scorer.scoring.worker.unscored_result import facts_without_body, unscored

_NOTHING = Extracted(Surface.UNKNOWN)


@dataclass(frozen=True, slots=True)
class _ExtractedPair:
    """A pair with its extracted answers.

    ``texts`` contains the texts that must be embedded, if there are any. ``faults``: two lists of kinds of faults:
    those of the baseline's answer, and those of the candidate's answer. ``contract``: the contract signals.
    """

    pair: Pair
    workload: Workload
    expected: Expectation
    baseline: Extracted
    candidate: Extracted
    texts: tuple[str, ...]
    faults: tuple[tuple[str, ...], tuple[str, ...]]
    contract: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ScoringOutcome:
    """The result of a pair.

    ``to_judge``, ``to_verify``: the inputs for the evaluator and the verifier; None if they do not get this pair.
    """

    scored: ScoredPair
    to_judge: AnswersToJudge | None = None
    to_verify: VerifierInput | None = None


@dataclass(slots=True)
class ScoringContext:
    """The state that all batches share: the configuration, the engine, recently embedded texts, and recent answers."""

    config: Config
    embedder: Embedder
    cache: VectorCache = field(default_factory=VectorCache)
    repeated: RepeatedAnswers = field(default_factory=RepeatedAnswers)


def score_pairs(
    pairs: Sequence[Pair], context: ScoringContext, now_ms: int, floors: Mapping[str, NoiseFloor] | None = None
) -> list[ScoringOutcome]:
    """Return one outcome for each pair, in order. ``floors`` are the baselines' noise floors by workload.

    Raises UnreachableError if a remote engine does not answer.
    """
    extracted = [_with_repetition(_extract_pair(pair, context.config, now_ms), context.repeated) for pair in pairs]
    texts = list(dict.fromkeys(text for one in extracted if isinstance(one, _ExtractedPair) for text in one.texts))
    vectors = dict(zip(texts, embed_texts(context.embedder, texts, context.cache), strict=True))
    known = floors or {}
    return [
        ScoringOutcome(one)
        if isinstance(one, ScoredPair)
        else _compare(one, vectors, context, now_ms, known.get(one.pair.workload))
        for one in extracted
    ]


def _extract_pair(pair: Pair, config: Config, now_ms: int) -> _ExtractedPair | ScoredPair:
    """Return the pair with both answers extracted, or its result without a score if it cannot be scored."""
    workload = config.workloads.get(pair.workload)
    if workload is None:
        return unscored(pair, now_ms, "unknown_workload")
    custom = _custom_surface(workload)
    sides = [_extract(pair, answer, custom) for answer in (pair.baseline, pair.candidate)]
    expected = expectation(pair.path, pair.request_body)
    declared, answers = custom is not None, (pair.baseline, pair.candidate)
    faults = [_faults(a, f, expected, declared=declared) for a, f in zip(answers, sides, strict=True)]
    read = [ReadAnswer(a, f) for a, f in zip((pair.baseline, pair.candidate), sides, strict=True)]
    contract = contract_signals(expected, *read)
    for name, answer, found in zip(("baseline", "candidate"), (pair.baseline, pair.candidate), sides, strict=True):
        reason = _unscored_reason(answer, found)
        if reason:
            facts = [_facts(a, f, 0, found) for a, f, found in zip(answers, sides, faults, strict=True)]
            return replace(unscored(pair, now_ms, f"{name}_{reason}", *facts), signals=contract)
    baseline, candidate = sides
    if pair.request_cut or not isinstance(baseline, Extracted) or not isinstance(candidate, Extracted):
        return unscored(pair, now_ms, "request_cut")
    texts = texts_to_embed(workload.task, expected, baseline, candidate)
    return _ExtractedPair(pair, workload, expected, baseline, candidate, texts, (faults[0], faults[1]), contract)


def _with_repetition(one: _ExtractedPair | ScoredPair, repeated: RepeatedAnswers) -> _ExtractedPair | ScoredPair:
    """Return the pair, with the fault "repeated answer" for each side that gives different prompts the same text.

    Only cross pairs with free text are checked.
    """
    if isinstance(one, ScoredPair) or one.pair.kind is not PairKind.CROSS or one.workload.task not in FREE_TEXT:
        return one
    found = [
        (*faults, AnswerFault.REPEATED_ANSWER.value)
        if repeated.note((one.pair.workload, side), one.expected.prompt, answer.text)
        else faults
        for side, answer, faults in zip(Side, (one.baseline, one.candidate), one.faults, strict=True)
    ]
    return replace(one, faults=(found[0], found[1]))


def _custom_surface(workload: Workload) -> CustomSurface | None:
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


def _unscored_reason(answer: Answer, found: Extracted | Unusable) -> str:
    """Return why the answer cannot be scored, or "" if it can.

    The reasons become label values of a metric, so they come from a fixed set.
    """
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
    extracted: _ExtractedPair,
    vectors: Mapping[str, Vectors],
    context: ScoringContext,
    now_ms: int,
    floor: NoiseFloor | None,
) -> ScoringOutcome:
    pair, settings = extracted.pair, extracted.workload.scoring
    excerpts = context.config.redaction.excerpts
    baseline = _facts(pair.baseline, extracted.baseline, excerpts, extracted.faults[0])
    candidate = _facts(pair.candidate, extracted.candidate, excerpts, extracted.faults[1])
    # Both kinds of pair are scored against the same noise floor, because sameness_margin compares their scores. The
    # floor itself counts raw divergences, so it does not depend on these scores.
    weights = workload_weights(settings.calibration)
    result = compare(
        extracted.workload.task,
        settings,
        extracted.expected,
        extracted.baseline,
        extracted.candidate,
        vectors,
        LearnedParameters(floor or UNKNOWN, weights, traits_of(context.embedder).cosine_map),
    )
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
        signals={**result.signals, **extracted.contract},
        baseline=baseline,
        candidate=candidate,
        sticky=pair.sticky,
        scorer=context.embedder.name,
        labels=dict(result.labels),
        served=pair.served,
        weights=weights.digest,
        language=_language(extracted),
        both_copied=pair.both_copied,
        traceparent=pair.traceparent,
    )
    judged, verified = _to_judge(extracted), _to_verify(extracted)
    if isinstance(judged, Preference):
        return ScoringOutcome(replace(scored, preference=judged, unjudged=EQUAL), None, verified)
    return ScoringOutcome(scored, judged, verified)


def _to_verify(extracted: _ExtractedPair) -> VerifierInput | None:
    """Return the verifier's input for a cross pair; None if the verifier does not get this pair."""
    workload, pair = extracted.workload, extracted.pair
    section = workload.scoring.verifier
    if section is None or pair.kind is not PairKind.CROSS:
        return None
    request = pair.request_body.decode("utf-8", "replace")
    return to_verify(PairToVerify(pair.id, workload.task, request, extracted.baseline, extracted.candidate), section)


def _language(extracted: _ExtractedPair) -> str:
    """Return the language of the baseline's answer, or "" if it is unknown or the answer is not free text."""
    kind = resolve_task(extracted.workload.task, extracted.expected, extracted.baseline, extracted.candidate)
    return Document(extracted.baseline.text).language if kind in FREE_TEXT else ""


def _to_judge(extracted: _ExtractedPair) -> AnswersToJudge | Preference | None:
    """Return the texts to judge, or a preference that needs no question; None if the pair is not judged.

    Only cross pairs are judged, because both answers of a noise pair come from the same side.
    """
    section, pair = extracted.workload.scoring.evaluator, extracted.pair
    if section is None or pair.kind is not PairKind.CROSS:
        return None
    answers = {Side.BASELINE: extracted.baseline, Side.CANDIDATE: extracted.candidate}
    return to_judge(pair.id, extracted.workload.task, extracted.expected, answers, section)


def _faults(answer: Answer, found: Extracted | Unusable, expected: Expectation, *, declared: bool) -> tuple[str, ...]:
    """Return the kinds of faults of one answer. Only a complete answer is judged."""
    if answer.ending is not Ending.COMPLETE or answer.failed_over:
        return ()
    faults = judge_answer(
        status=answer.status,
        content_type=answer.content_type,
        body=answer.body,
        cut=answer.body_cut,
        expected=expected,
        found=found,
        declared=declared,
    )
    return tuple(fault.kind.value for fault in faults)


def _facts(answer: Answer, found: Extracted | Unusable | None, excerpts: int, faults: tuple[str, ...]) -> AnswerFacts:
    """Return the facts about an answer. They include an excerpt: the first ``excerpts`` characters of its text."""
    extracted = found if isinstance(found, Extracted) else _NOTHING
    return replace(
        facts_without_body(answer),
        input_tokens=extracted.input_tokens,
        output_tokens=extracted.output_tokens,
        text_chars=len(extracted.text),
        finish_reason=extracted.finish_reason.value if isinstance(found, Extracted) else "",
        excerpt=extracted.text[:excerpts].encode("utf-8", "replace").decode(),
        faults=faults,
    )
