"""The console in Chromium while the demo runs: the fleet moves with the ramp, and shows the rollback."""

from __future__ import annotations

import pytest

from tests.support.console_on_demo import Watched
from tests.support.kept_demo import FinishedDemo


@pytest.mark.slow
def test_the_fleet_shows_the_ramp_move_and_the_rollback(watched_demo: tuple[FinishedDemo, Watched | None]) -> None:
    _, seen = watched_demo
    if seen is None:
        pytest.skip("no chromium: `make browser`, or apt-get install chromium; or no playwright: make setup-dev")
    assert "synthetic" in seen.banner
    shares = [float(one.split()[-2]) for one in seen.fleet]
    up = shares[: shares.index(100.0) + 1]
    assert up == sorted(up), seen.fleet
    assert len({share for share in up if 0 < share < 100}) >= 3, seen.fleet
    assert shares[-1] == 0, seen.fleet
    assert "errors_fast" in seen.workload
    assert seen.problems == []
