"""The status that people and tools read."""

from __future__ import annotations

import json

from glidepath.config import parse_config
from glidepath.status_and_decisions import Phase, to_json
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


def test_a_held_workload_that_was_rolled_back_says_so(valid_yaml: str) -> None:
    chat = SteeredWorkload(parse_config(valid_yaml))
    held = {"phase": Phase.HELD, "held_by": "manual_override", "held_reason": "a person set 5 %", "percent": 1.0}
    chat.set_ramp(**held, held_from=Phase.COOLING_DOWN)
    expected = "held by manual_override: a person set 5 %; rolled back to 1 %; `glidepath resume chat` to continue"
    assert chat.status(2000).message == expected
    chat.set_ramp(**held, held_from=Phase.BAKING)
    assert "rolled back" not in chat.status(2000).message
