"""The lines of ``glidepath status`` about an evaluator: its cost, and how often it agrees with people."""

from __future__ import annotations

from typing import Any

import pytest

from glidepath.clock import unix_ms
from glidepath.config import parse_config
from glidepath.config.comparison import EvaluatorCost
from glidepath.config.retention import RetentionSection
from glidepath.evaluation_cost import CostSoFar, add_cost
from glidepath.pair_labels import Judgement, PairLabel, store_label
from glidepath.pair_scores import Preference, ScoredPair
from glidepath.pairs import PairKind
from glidepath.protobuf_codec import encode_scored
from glidepath.redis_keys import WorkloadKeys
from glidepath_ops.cli.evaluator_status import (
    PeopleAgreement,
    evaluation_cost,
    evaluator_lines,
    people_agreement,
)

PRICED = "    scoring: {evaluator: {url: 'http://x', model: m, price: {input: 1, output: 2}, max_cost: {total: 100}}}\n"


def result(name: str, preference: Preference | None) -> ScoredPair:
    return ScoredPair(name, "chat", PairKind.CROSS, 1, 1, scored=True, preference=preference)


def label(name: str, judgement: Judgement) -> PairLabel:
    return PairLabel(name, judgement, "ann@host", 1)


@pytest.mark.parametrize(
    ("judgement", "preference", "expected"),
    [
        (Judgement.ACCEPTABLE, Preference.WIN, (1, 1)),
        (Judgement.ACCEPTABLE, Preference.TIE, (1, 1)),
        (Judgement.ACCEPTABLE, Preference.LOSS, (1, 0)),
        (Judgement.NOT, Preference.LOSS, (1, 1)),
        (Judgement.NOT, Preference.FORFEIT, (1, 1)),
        (Judgement.NOT, Preference.INCONSISTENT, (1, 0)),
        (Judgement.UNSURE, Preference.WIN, (0, 0)),
        (Judgement.NOT, None, (0, 0)),
    ],
)
def test_a_preference_agrees_with_a_label_or_not(
    judgement: Judgement, preference: Preference | None, expected: tuple[int, int]
) -> None:
    pairs = [result("p", preference), result("nobody labelled it", Preference.WIN)]
    assert people_agreement(pairs, {"p": label("p", judgement)}) == PeopleAgreement(*expected)


def test_the_cost_is_shown_with_its_limits() -> None:
    cost = CostSoFar(1, 0.125, 13.5)
    limits = EvaluatorCost(per_hour=2, total=100)
    assert evaluation_cost(cost, limits) == "cost of the evaluator: 0.125 of 2 this hour, 13.5 of 100 in total"
    assert evaluation_cost(cost, None) == "cost of the evaluator: 0.125 this hour, 13.5 in total"


async def test_the_lines_are_read_from_redis(valid_yaml: str, redis_client: Any) -> None:
    config, now = parse_config(valid_yaml + PRICED), unix_ms()
    await add_cost(redis_client, "chat", 1.5, now)
    assert await evaluator_lines(config, redis_client, "chat", now) == [
        "cost of the evaluator: 1.5 this hour, 1.5 of 100 in total"
    ]
    for name, preference in (("a", Preference.WIN), ("b", Preference.WIN), ("c", Preference.LOSS)):
        await redis_client.xadd(WorkloadKeys("chat").results, {"r": encode_scored(result(name, preference))})
    for name, judgement in (("a", Judgement.ACCEPTABLE), ("b", Judgement.NOT), ("c", Judgement.NOT)):
        await store_label(redis_client, "chat", RetentionSection(), label(name, judgement))
    lines = await evaluator_lines(config, redis_client, "chat", now)
    assert lines[1:] == ["evaluator and people agree in 2 of 3 labelled pairs (66.7%)"]
    assert await evaluator_lines(parse_config(valid_yaml), redis_client, "chat", now) == []
