"""The dashboard's queries, asked of a real Prometheus that scrapes the demo, show the ramp and the rollback."""

from __future__ import annotations

import pytest

from tests.support.dashboard_on_demo import ScrapedDemo, ShownPanel
from tests.support.promtool import needs_prometheus

# Events that a demo may lack, such as a rescue: the candidate must fail before the first byte, and in time.
MAY_BE_EMPTY = {
    "A side refuses",
    "Answered by Envoy itself",
    "Rescues",
    "Evaluator, verifier, feedback",
    "Faults of answers by themselves",
    "Flags",
}


def of(shown: list[ShownPanel], title: str) -> ShownPanel:
    return next(one for one in shown if one.panel.title == title)


@needs_prometheus
@pytest.mark.slow
def test_every_panel_shows_the_demo(scraped_demo: ScrapedDemo) -> None:
    shown = scraped_demo.shown
    empty = {one.panel.title for one in shown if not any(series.points for series in one.series)}
    assert empty <= MAY_BE_EMPTY
    share = of(shown, "Share of the candidate")
    asked = [value for one in share.series if one.legend == "chat asked" for _, value in one.points]
    assert max(asked) == 1.0  # the ramp reached its last step
    assert len({value for value in asked if 0 < value < 1}) >= 3  # in steps
    assert asked[-1] == 0.0  # and went back after the fault
    seen = [value for one in share.series if one.legend == "chat seen" for _, value in one.points]
    assert max(seen) > 0.9
    phases = {one.labels["phase"] for one in of(shown, "Phase").series if one.points}
    assert "baking" in phases  # on a fast machine, the shadow ends before Prometheus asks for the first time
    assert phases & {"rolling_back", "cooling_down"}
    decided = {one.labels["event"] for one in of(shown, "Decisions").series if any(value for _, value in one.points)}
    assert {"promote", "rollback"} <= decided
    sides = {one.labels["side"] for one in of(shown, "Latency, clients' requests").series if one.points}
    assert sides == {"baseline", "candidate"}
