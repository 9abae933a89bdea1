"""The benchmark of the agreement: the pairs that it skips, its report, and the baseline trained on the other sets."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.agreement import ScoredSet, cheap_features, cheap_scores, main, report
from scorer.scoring.compare.calibrator.classifier_metrics import auc


def scored(seed: int, agreement: float, cosine: float) -> ScoredSet:
    """Return a set of 80 pairs. ``agreement``, ``cosine``: the weight of the label in this score."""
    rng = np.random.default_rng(seed)
    same = np.arange(80.0) % 2
    noise = rng.random((3, 80))
    scores = [0.5 * (noise[0] * (1 - a) + same * a) + 0.25 for a in (agreement, cosine)]
    cheap = np.column_stack([same + noise[i % 3] for i in range(6)])
    return ScoredSet(same, scores[0], scores[1], cheap, np.zeros(80))


def test_without_data_the_benchmark_says_so_and_succeeds(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GLIDEPATH_LABELLED", raising=False)
    assert main([]) == 0
    assert "--data DIR" in capsys.readouterr().out
    assert main(["--data", str(tmp_path)]) == 0
    assert "skipped" in capsys.readouterr().out


def test_the_mean_leaves_out_the_set_in_other_languages() -> None:
    other = replace(scored(3, 0, 0), english=False)
    rows = report({"a": scored(1, 1, 0.5), "b": scored(2, 1, 0.5), "other": other})
    assert rows["mean"]["auc_agreement"] == 1.0
    assert rows["sets"]["other"]["auc_agreement"] < 0.8


def test_the_baseline_learns_from_the_other_sets_only() -> None:
    sets = {"a": scored(1, 1, 0.5), "b": scored(2, 1, 0.5)}
    turned = {**sets, "a": replace(sets["a"], same=1 - sets["a"].same)}
    assert np.array_equal(cheap_scores(sets, "a"), cheap_scores(turned, "a"))
    assert auc(cheap_scores(sets, "a"), sets["a"].same) == 1.0


def test_the_cheap_features_see_numbers_negations_and_the_last_number() -> None:
    same = cheap_features("It costs 5 euros.", "It costs 5 euros.", 1.0)
    assert same == [1.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    other = cheap_features("It does not cost 5 euros.", "It costs 6 euros.", 0.9)
    assert other[2] < 0
    assert other[3] == -1.0
    assert other[5] == -1.0


@pytest.mark.process
def test_a_run_prints_a_table_and_one_line_of_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    same = [{"left": f"Room {i} is free.", "right": f"Room {i} is available.", "same": 1} for i in range(6)]
    other = [{"left": f"Room {i} is free.", "right": f"Room {i + 1} is not free.", "same": 0} for i in range(6)]
    for name in ("rooms", "doors"):
        lines = [json.dumps(line).replace("Room", name) for line in [*same, *other]]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    assert main(["--data", str(tmp_path), "--pairs", "12"]) == 0
    out = capsys.readouterr().out
    found = json.loads(out.splitlines()[-1])
    assert found["benchmark"] == "agreement"
    assert set(found["sets"]) == {"rooms", "doors"}
    assert 0 <= found["mean"]["auc_agreement"] <= 1
    assert "rooms" in out.splitlines()[3] + out.splitlines()[2]
