"""Stored pairs become encoded results."""

from __future__ import annotations

import pytest

from glidepath.config import parse_config
from glidepath.protobuf_codec import decode_scored, encode_pair
from scorer.scoring.worker.scoring_process.extract_embed_compare import ScoringContext
from scorer.scoring.worker.scoring_process.score_batch import score_batch
from scorer.steering.evidence.accumulator import Evidence
from tests.support.answer_pairs import noise_pair, pair
from tests.support.embedders import WordEmbedder


@pytest.fixture
def scoring(valid_yaml):
    return ScoringContext(parse_config(valid_yaml), WordEmbedder())


def test_unreadable_bytes_do_not_stop_the_other_pairs_of_the_batch(scoring):
    stored = [b"junk", encode_pair(pair("a")), b"", encode_pair(pair("b"))]
    done = score_batch(stored, scoring, 5000, {})
    assert ["zstd" in one.unreadable for one in done.results] == [True, False, True, False]
    assert [decode_scored(one.scored).pair_id for one in done.results if not one.unreadable] == ["a", "b"]


def test_a_pair_without_an_id_is_unreadable(scoring):
    assert "id" in score_batch([encode_pair(pair(""))], scoring, 5000, {}).results[0].unreadable


def test_cache_hits_are_counted_by_batch(scoring):
    stored = [encode_pair(pair("a", "One thing.", "Another one."))]
    first, second = (score_batch(stored, scoring, 5000, {}) for _ in range(2))
    assert (first.cache_hits, first.cache_misses) == (0, 2)
    assert (second.cache_hits, second.cache_misses) == (2, 0)


def test_only_a_noise_pair_adds_to_the_noise_floor(scoring):
    stored = [encode_pair(noise_pair("n", "It costs 40.", "It costs 70.")), encode_pair(pair("c"))]
    noise, cross = score_batch(stored, scoring, 5000, {}).results
    assert noise.noise["pairs"] == 1
    assert noise.noise["diverged"]["numbers"] == 1
    assert cross.noise == {}


def test_a_class_reaches_its_gate_under_the_name_that_the_configuration_gives_it(valid_yaml):
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
