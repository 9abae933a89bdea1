"""Search for an input that makes a target fail or use too much processor time."""

from __future__ import annotations

import time

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import Target

CPU_S = 5.0  # of one call; the slowest known call takes under half a second


def search(target: Target, examples: int, seeded: bool = False) -> None:
    """Call the target ``examples`` times. Raises the target's error for the simplest input that Hypothesis finds.

    ``seeded``: try the same inputs each time.
    """

    def attempt(arguments: tuple[object, ...]) -> None:
        began = time.process_time()
        target.read(*arguments)
        took = time.process_time() - began
        assert took < CPU_S, f"one call took {took:.1f} s of processor time"

    phases = [Phase.explicit, Phase.generate, Phase.shrink]
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    limits = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=seeded,
        phases=phases,
        suppress_health_check=checks,
        print_blob=True,
    )
    limits(given(st.tuples(*target.arguments))(attempt))()
