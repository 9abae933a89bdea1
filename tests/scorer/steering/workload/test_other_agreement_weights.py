"""A pair whose agreement was computed with weights other than the configured ones is not evidence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from glidepath.agreement_weights import shipped_weights
from glidepath.config import Config, parse_config
from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import PairKind
from glidepath.sides import Origin
from scorer.steering.evidence.accumulator import Evidence
from scorer.steering.store_protocol import News
from scorer.steering.workload.fold_stream_entries import OTHER_WEIGHTS
from scorer.steering.workload.workload_spec import WorkloadSpec
from tests.support.scripted_evidence import ScriptedEvidenceKind
from tests.support.steered_workload import SteeredWorkload


@pytest.fixture
def real(valid_yaml: str) -> SteeredWorkload:
    return SteeredWorkload(parse_config(valid_yaml), Evidence)


def scored(weights: str) -> News:
    facts = AnswerFacts(origin=Origin.LIVE, status=200)
    pair = ScoredPair(
        "p", "chat", PairKind.CROSS, 2_500, 2_600, True, agreement=0.9, baseline=facts, candidate=facts, weights=weights
    )
    return News(scored=(pair,))


def test_the_agreement_by_other_weights_is_refused_counted_and_shown(real: SteeredWorkload) -> None:
    real.tick(3_000, news=scored("0123456789ab"))
    status = real.status(3_100)
    assert status.agreement is None
    assert status.pairs_unscored == {OTHER_WEIGHTS: 1}


@pytest.mark.parametrize("known", [True, False])
def test_the_agreement_by_the_configured_or_by_unknown_weights_is_evidence(real: SteeredWorkload, known: bool) -> None:
    real.tick(3_000, news=scored(shipped_weights().digest if known else ""))
    status = real.status(3_100)
    assert status.agreement == 0.9
    assert status.pairs_unscored == {}


def _with_calibration(config: Config, path: Path) -> Config:
    section = config.workload("chat")
    scoring = section.scoring.model_copy(update={"calibration": str(path)})
    changed = section.model_copy(update={"scoring": scoring})
    return config.model_copy(update={"workloads": {**config.workloads, "chat": changed}})


def test_other_weights_are_another_configuration(valid_yaml: str, tmp_path: Path) -> None:
    config, kind = parse_config(valid_yaml), ScriptedEvidenceKind()
    shipped = shipped_weights()
    for name, constant in (("a", 1.0), ("b", 2.0)):
        (tmp_path / name).write_text(replace(shipped, constant=constant).to_json())
    plain = WorkloadSpec.of("chat", config, kind)
    one, other = (WorkloadSpec.of("chat", _with_calibration(config, tmp_path / name), kind) for name in ("a", "b"))
    assert len({plain.digest, one.digest, other.digest}) == 3
    assert plain.digest == config.digest("chat")
    assert len({plain.weights, one.weights, other.weights}) == 3
