"""The agreement as a function of the signals."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glidepath.config.comparison import DEFAULT_WEIGHTS, ScoringSection
from scorer.scoring.compare.agreement import combine
from scorer.scoring.compare.result import Signal

SETTINGS = ScoringSection()


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    st.floats(0, 1),
    st.dictionaries(st.sampled_from(sorted(DEFAULT_WEIGHTS)), st.floats(0, 1), min_size=1),
    st.data(),
)
def test_agreement_never_rises_when_a_signal_does(
    likeness: float, divergences: dict[str, float], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(divergences)))
    more = data.draw(st.floats(divergences[name], 1))
    before = combine(likeness, [Signal(n, d) for n, d in divergences.items()], SETTINGS)
    after = combine(likeness, [Signal(n, more if n == name else d) for n, d in divergences.items()], SETTINGS)
    assert after.agreement <= before.agreement + 1e-12
    assert set(before.flags) <= set(after.flags)
