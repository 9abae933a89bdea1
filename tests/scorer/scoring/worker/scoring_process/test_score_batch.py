from __future__ import annotations

import pytest

from glidepath.config import parse_config
from glidepath.wire import decode_scored, encode_pair
from scorer.scoring.worker.scoring_process.score_batch import score_batch
from scorer.scoring.worker.scoring_process.score_pairs import ScoringContext
from scorer.steering.evidence import Evidence
from tests.support.scoring import WordEmbedder, noise_pair, pair


@pytest.fixture
def scoring(valid_yaml):
    return ScoringContext(parse_config(valid_yaml), WordEmbedder())


def test_bytes_that_are_no_pair_do_not_stop_their_neighbours(scoring):
    stored = [b"junk", encode_pair(pair("a")), b"", encode_pair(pair("b"))]
    done = score_batch(stored, scoring, 5000, {})
    assert ["zstd" in one.why for one in done.results] == [True, False, True, False]
    assert [decode_scored(one.scored).pair_id for one in done.results if not one.why] == ["a", "b"]


def test_a_pair_without_an_id_is_no_pair(scoring):
    assert "id" in score_batch([encode_pair(pair(""))], scoring, 5000, {}).results[0].why


def test_hits_of_this_batch_are_counted(scoring):
    stored = [encode_pair(pair("a", "One thing.", "Another one."))]
    first, second = (score_batch(stored, scoring, 5000, {}) for _ in range(2))
    assert (first.cache_hits, first.cache_misses) == (0, 2)
    assert (second.cache_hits, second.cache_misses) == (2, 0)


def test_a_noise_pair_adds_to_the_floor_and_a_cross_pair_does_not(scoring):
    stored = [encode_pair(noise_pair("n", "It costs 40.", "It costs 70.")), encode_pair(pair("c"))]
    noise, cross = score_batch(stored, scoring, 5000, {}).results
    assert noise.floor["pairs"] == 1
    assert noise.floor["trips"]["numbers"] == 1
    assert cross.floor == {}


def test_a_class_that_matters_reaches_its_gate_by_the_name_that_the_configuration_gives_it(valid_yaml):
    text = valid_yaml.replace("task: chat", "task: classification")
    config = parse_config(text + "    scoring: {classification: {matter: [Card Fraud]}}\n")
    stored = [encode_pair(pair("a", "card fraud", "Ham")), encode_pair(pair("b", "ham", "ham"))]
    done = score_batch(stored, ScoringContext(config, WordEmbedder()), 5000, {})
    evidence = Evidence.fresh(config.workload("chat"), 10, 0)
    for one in done.results:
        evidence = evidence.fold_scored(decode_scored(one.scored))
    lost = {v.gate: (v.n, v.value) for v in evidence.verdicts(6000)}
    assert lost["recall_Card Fraud"] == (1, 1.0)
    assert lost["precision_Card Fraud"] == (0, None)
