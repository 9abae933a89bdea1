"""Lines about a workload's evaluator for ``glidepath status``: what it cost, and how often it agrees with people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from glidepath.config import Config
from glidepath.config.comparison import EvaluatorCost
from glidepath.evaluation_cost import CostSoFar, read_cost
from glidepath.pair_labels import Judgement, PairLabel, read_labels
from glidepath.pair_scores import ScoredPair
from glidepath.redisio import RedisClient
from glidepath_ops.pairs.read_pairs import newest_results

_MOST_LABELS, _MOST_RESULTS = 1000, 2000  # about 800 KB of results


@dataclass(frozen=True, slots=True)
class PeopleAgreement:
    """The number of pairs that both a person and the evaluator judged, and how often they agree.

    They agree if the person calls the candidate's answer acceptable and the evaluator does not prefer the baseline's.
    They also agree if the person calls it not acceptable and the evaluator prefers the baseline's.
    """

    pairs: int = 0
    agree: int = 0

    def line(self) -> str:
        share = f"{self.agree / self.pairs:.1%}"
        return f"evaluator and people agree in {self.agree} of {self.pairs} labelled pairs ({share})"


def people_agreement(results: Iterable[ScoredPair], labels: Mapping[str, PairLabel]) -> PeopleAgreement:
    """Compare the evaluator's preferences with people's labels. Labels "unsure" are ignored."""
    pairs = agree = 0
    for result in results:
        label = labels.get(result.pair_id)
        if result.preference is None or label is None or label.label is Judgement.UNSURE:
            continue
        pairs += 1
        agree += (label.label is Judgement.ACCEPTABLE) == (result.preference.score >= 0.5)
    return PeopleAgreement(pairs, agree)


def evaluation_cost(cost: CostSoFar, limits: EvaluatorCost | None) -> str:
    """Return a line with the cost of the evaluator's answers so far, and its limits."""
    per_hour, total = (None, None) if limits is None else (limits.per_hour, limits.total)
    parts = ((cost.in_hour, per_hour, "this hour"), (cost.total, total, "in total"))
    shown = (f"{spent:.4g}{'' if most is None else f' of {most:g}'} {when}" for spent, most, when in parts)
    return f"cost of the evaluator: {', '.join(shown)}"


async def evaluator_lines(settings: Config, redis: RedisClient, workload: str, now_ms: int) -> list[str]:
    """Return the lines about the evaluator of a workload. Raises RedisError or OSError."""
    evaluator = settings.workload(workload).scoring.evaluator
    if evaluator is None:
        return []
    lines = []
    if evaluator.price is not None:
        lines.append(evaluation_cost(await read_cost(redis, workload, now_ms), evaluator.max_cost))
    labels = await read_labels(redis, workload, _MOST_LABELS)
    if labels:
        results = [result async for result in newest_results(redis, workload, _MOST_RESULTS)]
        agreement = people_agreement(results, labels)
        if agreement.pairs:
            lines.append(agreement.line())
    return lines
