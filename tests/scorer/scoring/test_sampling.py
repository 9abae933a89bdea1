"""The uniform sample of pairs for the evaluator or the verifier."""

from __future__ import annotations

import pytest

from scorer.scoring.sampling import is_sampled


@pytest.mark.parametrize("share", [0.0, 0.03, 0.1, 0.5, 1.0])
def test_the_draw_is_even_and_a_larger_share_keeps_the_pairs_of_a_smaller_one(share: float) -> None:
    drawn = {i for i in range(20_000) if is_sampled(f"pair-{i}", share, "evaluator")}
    assert len(drawn) / 20_000 == pytest.approx(share, abs=0.01)
    assert drawn <= {i for i in range(20_000) if is_sampled(f"pair-{i}", min(share * 1.5, 1.0), "evaluator")}


def test_each_instrument_has_a_draw_of_its_own() -> None:
    drawn = [{i for i in range(20_000) if is_sampled(f"pair-{i}", 0.1, name)} for name in ("evaluator", "verifier")]
    assert len(drawn[0] & drawn[1]) / 20_000 == pytest.approx(0.01, abs=0.004)
