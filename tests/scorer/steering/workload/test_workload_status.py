"""The status that people and tools read."""

from __future__ import annotations

import json

from glidepath.config import parse_config
from glidepath.status_and_decisions import to_json
from scorer.steering.workload.tick_context import TickContext
from tests.support.steered_workload import SteeredWorkload


def test_a_status_says_what_the_workload_waits_for(valid_yaml: str) -> None:
    chat = SteeredWorkload(parse_config(valid_yaml))
    chat.tick(2000, context=TickContext(waiting_for="batch"))
    status = chat.status(2000)
    assert status.message == "to 1 %: waits for batch"
    assert (status.phase, status.confirmed, status.envoys, status.leader) == ("shadow", 0, 0, "me")
    assert status.weights == {"onprem-or-cloud": 0, "cloud": 10_000}
    assert json.loads(to_json(status))["verdicts"][0]["gate"] == "sameness"
