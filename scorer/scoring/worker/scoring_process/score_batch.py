"""Score one batch in the scoring process: decode the stored pairs, score them, and encode the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from glidepath.errors import InputError
from glidepath.pair_scores import EQUAL
from glidepath.pairs import Pair, PairKind
from glidepath.protobuf_codec import decode_pair, encode_scored
from scorer.scoring.compare import NoiseFloor
from scorer.scoring.worker.scoring_process.batch_result import BatchResult, NoiseFloorJson, PairResult
from scorer.scoring.worker.scoring_process.extract_embed_compare import ScoringContext, ScoringOutcome, score_pairs


def score_batch(
    stored: Sequence[bytes], context: ScoringContext, now_ms: int, floors: Mapping[str, NoiseFloorJson]
) -> BatchResult:
    """Return one result for each stored pair, in order. ``floors`` are the baselines' noise floors by workload.

    Raises UnreachableError if a remote engine does not answer.
    """
    decoded = [_decode(data) for data in stored]
    hits, misses = context.cache.hits, context.cache.misses
    noise_floors = {name: NoiseFloor.from_json(raw) for name, raw in floors.items()}
    pairs = [pair for pair in decoded if isinstance(pair, Pair)]
    outcomes = iter(score_pairs(pairs, context, now_ms, noise_floors))
    results = tuple(_result(next(outcomes)) if isinstance(one, Pair) else one for one in decoded)
    return BatchResult(results, context.cache.hits - hits, context.cache.misses - misses)


def _decode(data: bytes) -> Pair | PairResult:
    try:
        pair = decode_pair(data)
    except InputError as error:
        return PairResult(unreadable=str(error))
    return pair if pair.id else PairResult(unreadable="a stored pair has no id")


def _result(outcome: ScoringOutcome) -> PairResult:
    scored = outcome.scored
    is_noise = scored.kind is PairKind.NOISE and scored.scored
    noise = NoiseFloor().fold(scored.signals, scored.agreement).to_json() if is_noise else {}
    asked = asdict(outcome.to_judge) if outcome.to_judge else {}
    verified = asdict(outcome.to_verify) if outcome.to_verify else {}
    return PairResult(
        encode_scored(scored),
        noise=noise,
        for_evaluator=asked,
        equal=scored.unjudged == EQUAL,
        for_verifier=verified,
    )
