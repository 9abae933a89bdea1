"""From stored bytes to stored bytes: what one scoring process does with one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from glidepath.domain import Pair, PairKind
from glidepath.errors import InputError
from glidepath.wire import decode_pair, encode_scored
from scorer.scoring.compare import NoiseFloor
from scorer.scoring.worker.scoring_process.batch_result import BatchResult, NoiseFloorJson, PairResult
from scorer.scoring.worker.scoring_process.score_pairs import ScoringContext, ScoringOutcome, judge_pairs


def score_batch(
    stored: Sequence[bytes], scoring: ScoringContext, now_ms: int, floors: Mapping[str, NoiseFloorJson]
) -> BatchResult:
    """Decode, score together, encode. Raises UnreachableError of a remote engine."""
    decoded = [_decode(data) for data in stored]
    hits, misses = scoring.cache.hits, scoring.cache.misses
    known = {name: NoiseFloor.from_json(raw) for name, raw in floors.items()}
    pairs = [one for one in decoded if isinstance(one, Pair)]
    scored = iter(judge_pairs(pairs, scoring, now_ms, known))
    results = tuple(_result(next(scored)) if isinstance(one, Pair) else one for one in decoded)
    return BatchResult(results, scoring.cache.hits - hits, scoring.cache.misses - misses)


def _decode(data: bytes) -> Pair | PairResult:
    try:
        pair = decode_pair(data)
    except InputError as error:
        return PairResult(why=str(error))
    return pair if pair.id else PairResult(why="a stored pair has no id")


def _result(judged: ScoringOutcome) -> PairResult:
    scored = judged.scored
    noise = scored.kind is PairKind.NOISE and scored.scored
    floor = NoiseFloor().fold(scored.signals, scored.agreement).to_json() if noise else {}
    return PairResult(encode_scored(scored), floor=floor, doubt=asdict(judged.doubt) if judged.doubt else {})
