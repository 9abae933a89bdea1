from __future__ import annotations

import numpy as np
import pytest

from bench.cosine_map import COSINES, fit, main


def test_the_fit_finds_the_map_behind_noisy_cosines() -> None:
    rng = np.random.default_rng(3)
    behind = np.linspace(-0.1, 1.0, len(COSINES)) ** 3
    cosines = rng.uniform(0.6, 1.0, 4_000)
    found = fit(cosines, np.interp(cosines, COSINES, behind) + rng.normal(0, 0.05, cosines.size))
    assert np.abs(found - behind).max() < 0.05
    assert found[-1] == 1.0
    assert (np.diff(found) >= 0).all()


def test_without_labelled_pairs_nothing_is_fitted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GLIDEPATH_LABELLED", raising=False)
    assert main([]) == 0
    assert "skipped" in capsys.readouterr().out
