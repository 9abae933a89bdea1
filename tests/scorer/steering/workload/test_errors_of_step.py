"""The reason of a rollback names the kinds of errors that the candidate gave to clients in the step."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from glidepath.config import parse_config
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import Phase
from scorer.steering.ramp.errors_of_step import errors_of_step
from scorer.steering.store_protocol import News
from scorer.steering.workload.workload_state import restart_evidence
from scorer.steering.workload.workload_state_codec import encode
from tests.support.steered_workload import SteeredWorkload


@pytest.mark.parametrize(
    ("before", "now", "text"),
    [
        ({}, {}, ""),
        ({"candidate live connect": 4}, {"candidate live connect": 4}, ""),
        ({}, {"candidate shadow connect": 4, "baseline live connect": 4}, ""),
        ({"candidate live connect": 4}, {"candidate live connect": 5, "candidate live dns": 3}, "dns 3, connect 1"),
        (
            {},
            {f"candidate live kind_{n}": n for n in (1, 2, 3, 4, 5)} | {"candidate live kind_0": 5},
            "kind_0 5, kind_5 5, kind_4 4, other kinds 6",
        ),
    ],
)
def test_the_most_frequent_kinds_of_clients_errors_are_named(
    before: dict[str, int], now: dict[str, int], text: str
) -> None:
    assert errors_of_step(before, now) == text


def failed(number: int, kinds: Mapping[str, int]) -> News:
    """Return a flush in which clients' requests failed at the candidate. ``number``: its number and its time."""
    count = sum(kinds.values())
    side = SideOutcomes(Side.CANDIDATE, Origin.LIVE, requests=count, errors=count, error_kinds=kinds)
    return News(outcomes=(Outcomes("chat", "x", number, number - 10, number, (side,)),))


def at_half(config: str) -> SteeredWorkload:
    """Return the workload at 50 %, with evidence of this step."""
    chat = SteeredWorkload(parse_config(config))
    chat.set_ramp(phase=Phase.BAKING, percent=50)
    chat.state = restart_evidence(chat.state, 1000)
    return chat


def reason(chat: SteeredWorkload, news: News) -> str:
    """Return the reason of the rollback that the news cause."""
    (rollback,) = [one for one in chat.decisions(news.outcomes[0].to_ms, news=news) if one.event == "rollback"]
    return rollback.reason


def test_a_rollback_names_the_errors_of_its_step_only(valid_yaml: str) -> None:
    chat = at_half(valid_yaml)
    chat.tick(2000, news=failed(2000, {"connect": 1}))
    said = reason(chat, failed(3000, {"connect": 1, "capability": 2}))
    assert said.endswith("; errors in this step: capability 2, connect 2")
    assert chat.state.ramp.percent == 0

    chat.set_ramp(phase=Phase.BAKING, percent=50)
    chat.state = restart_evidence(chat.state, 3500)
    assert reason(chat, failed(4000, {"dns": 3})).endswith("; errors in this step: dns 3")


def test_a_new_leader_names_the_errors_since_it_leads(valid_yaml: str) -> None:
    chat = at_half(valid_yaml)
    chat.tick(2000, news=failed(2000, {"timeout": 2}))
    chat.restore(json.loads(encode(chat.state)), 2500)
    assert reason(chat, failed(3000, {"connect": 3})).endswith("; errors in this step: connect 3")


def test_the_errors_of_a_step_begin_with_the_step(valid_yaml: str) -> None:
    """After a rollback, the errors that caused it do not count as errors of the next step."""
    chat = at_half(valid_yaml)
    assert "timeout" in reason(chat, failed(2000, {"timeout": 3}))
    assert errors_of_step(chat.state.recent.errors_before, chat.state.totals.error_kinds) == ""
