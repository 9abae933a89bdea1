"""The limits that the quotas of the backends set: on the next step, and on copies."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from glidepath.config import Config
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import Command, CommandKind, Phase
from glidepath.token_usage import TokenUsage
from scorer.steering.envoy.actuator import MemoryActuator
from scorer.steering.leader.quota_forecast import QuotaForecast
from scorer.steering.store_protocol import News
from scorer.steering.workload.quota_outlook import NO_QUOTA, QuotaOutlook
from scorer.steering.workload.recent_load import LoadPerMinute, RecentLoad
from scorer.steering.workload.tick_context import TickContext
from scorer.steering.workload.workload_spec import WorkloadSpec
from scorer.steering.workload.workload_state import WorkloadState, new_state
from scorer.steering.workload.workload_state_codec import encode
from tests.support.scripted_evidence import ScriptedEvidenceKind
from tests.support.steered_workload import SteeredWorkload, moment

MINUTE = 60_000
RAMP = {"steps": [10, 50, 100], "hold": 0, "min_samples": 1}


def config(candidate: Any = None, baseline: Any = None, **shadow: Any) -> Config:
    one = {"baseline": "cloud", "candidate": "onprem", "ramp": RAMP, "shadow": {"same_side": 0, "reverse": 0, **shadow}}
    return Config.model_validate(
        {
            "backends": {
                "cloud": {"url": "http://a", "quota": baseline},
                "onprem": {"url": "http://b", "quota": candidate},
            },
            "workloads": {"chat": {"match": {"path": "/a"}, **one}, "mail": {"match": {"path": "/b"}, **one}},
        }
    )


def flush(to_ms: int, *, baseline: int = 0, candidate: int = 0, copies: int = 0, pinned: int = 0) -> Outcomes:
    usage = (TokenUsage(input=70, output=30, answers=1),)
    sides = (
        SideOutcomes(Side.BASELINE, Origin.LIVE, baseline, usage=usage),
        SideOutcomes(Side.CANDIDATE, Origin.LIVE, candidate),
        SideOutcomes(Side.CANDIDATE, Origin.SHADOW, copies),
    )
    return Outcomes("chat", "x", to_ms, to_ms - 250, to_ms, sides, {"pinned_needs_state": pinned} if pinned else {})


def state(settings: Config, name: str, requests: int, percent: float = 10, pinned: int = 0) -> WorkloadState:
    """Return a workload with ``requests`` requests of clients in its busiest minute."""
    fresh = new_state(WorkloadSpec.of(name, settings, ScriptedEvidenceKind()), moment(5 * MINUTE), percent=percent)
    load = RecentLoad().with_flush(flush(4 * MINUTE, baseline=requests, pinned=pinned))
    return replace(fresh, recent=replace(fresh.recent, load=load, since_ms=0))


def outlook(settings: Config, chat: int, mail: int = 0, percent: float = 10, pinned: int = 0) -> QuotaOutlook:
    states = {"chat": state(settings, "chat", chat, percent, pinned), "mail": state(settings, "mail", mail)}
    return QuotaForecast(settings).outlook(states["chat"], states, 0)


def test_the_busiest_whole_minute_counts() -> None:
    load = RecentLoad()
    for to_ms, requests in ((MINUTE, 3), (MINUTE + 1, 4), (2 * MINUTE, 5), (3 * MINUTE, 99)):
        load = load.with_flush(flush(to_ms, baseline=requests, candidate=1, copies=50))
    assert load.busiest(3 * MINUTE + 1) == LoadPerMinute(9, 0, 100)  # without the present minute, and without copies
    assert load.busiest(4 * MINUTE) == LoadPerMinute(100, 0, 100)
    assert load.busiest(20 * MINUTE) is None
    assert len(load.with_flush(flush(100 * MINUTE, baseline=1)).minutes) == 1


def test_the_minute_in_which_the_counting_began_does_not_count() -> None:
    load = RecentLoad().with_flush(flush(2 * MINUTE - 1, baseline=5)).with_flush(flush(3 * MINUTE - 1, baseline=9))
    assert load.busiest(3 * MINUTE, since_ms=2 * MINUTE) == LoadPerMinute(9, 0, 100)
    assert load.busiest(3 * MINUTE, since_ms=2 * MINUTE + 1) is None


def test_a_step_beyond_the_quota_of_the_candidate_is_an_obstacle() -> None:
    assert outlook(config({"requests": 500}, sample=0), chat=1000) == NO_QUOTA
    found = outlook(config({"requests": 499}, sample=0), chat=1000)
    assert found.obstacle == "quota of backends.onprem: 500 requests a minute expected at 50 %, 499 allowed"
    found = outlook(config({"tokens": 49_999}, sample=0), chat=1000)
    assert found.obstacle == "quota of backends.onprem: 50,000 tokens a minute expected at 50 %, 49,999 allowed"
    assert outlook(config({"requests": 499}, sample=0), chat=1000, percent=100).obstacle == ""


def test_what_other_workloads_send_to_the_candidate_counts() -> None:
    found = outlook(config({"requests": 600}, sample=0), chat=1000, mail=2000)  # mail is at 10 %
    assert found.obstacle == "quota of backends.onprem: 700 requests a minute expected at 50 %, 600 allowed"


def test_a_step_that_no_rollback_could_follow_is_an_obstacle() -> None:
    allowed = config(baseline={"requests": 1500}, sample=0)
    assert outlook(allowed, chat=1000, mail=400, pinned=100) == NO_QUOTA
    assert outlook(allowed, chat=1000, mail=400, pinned=101).obstacle == (
        "quota of backends.cloud: a rollback to 0 % would send 1,501 requests a minute, 1,500 allowed"
    )


@pytest.mark.parametrize(
    ("settings", "most", "which"),
    [
        # clients' requests at the candidate: 100; copies of all others: 900
        (config({"requests": 1000}), 100, ""),
        (config({"requests": 550}), 50, "onprem (550 requests a minute)"),
        (config({"tokens": 55_000}), 50, "onprem (55,000 tokens a minute)"),
        (config({"requests": 50}), 0, "onprem (50 requests a minute)"),
        # clients' requests at the baseline: 900; reverse copies: 100; copies for the noise floor: 90
        (config(baseline={"requests": 950}, reverse=100), 50, "cloud (950 requests a minute)"),
        (config(baseline={"requests": 945}, same_side=10), 50, "cloud (945 requests a minute)"),
    ],
)
def test_copies_get_what_clients_leave_of_a_quota(settings: Config, most: float, which: str) -> None:
    found = outlook(settings, chat=1000)
    why = f"copies {most} % of the requests instead of 100 %: more would exceed the quota of backends.{which}"
    assert (found.most_copies, found.copies_note) == (most, why if which else "")


@pytest.mark.parametrize(
    ("sample", "allowed", "most"), [("0.5%", 106, 100), ("0.5%", 103, 0.33), ("12.5%", 213, 100), ("12.5%", 190, 10)]
)
def test_a_small_sample_is_limited_only_if_it_does_not_fit_and_not_to_zero(
    sample: str, allowed: int, most: float
) -> None:
    found = outlook(config({"requests": allowed}, sample=sample), chat=1000)  # 100 requests, and copies of 900
    assert found.most_copies == most


def test_two_workloads_share_what_is_left_for_copies() -> None:
    settings = config({"requests": 650})  # clients' requests: 100 + 100; copies: 900 + 900
    states = {name: state(settings, name, 1000) for name in ("chat", "mail")}
    forecast = QuotaForecast(settings)
    assert [forecast.outlook(one, states, 0).most_copies for one in states.values()] == [25, 25]


def test_without_whole_minutes_nothing_is_known_and_no_step_is_taken() -> None:
    settings = config({"requests": 500})
    chat = SteeredWorkload(settings)
    chat.set_ramp(phase=Phase.BAKING, percent=10)
    unknown = QuotaForecast(settings).outlook(chat.state, {"chat": chat.state}, 0)
    assert unknown == QuotaOutlook(known=False)
    chat.tick(2000, {}, TickContext(quota=unknown))
    assert not chat.state.inputs.quota_known


def test_a_new_leader_keeps_the_limit_of_the_copies_until_it_knows_the_load() -> None:
    settings = config({"requests": 500})
    chat, again = SteeredWorkload(settings), SteeredWorkload(settings)
    chat.set_ramp(phase=Phase.BAKING, percent=10)
    limited = TickContext(quota=QuotaOutlook(most_copies=25, copies_note="copies 25 %"))
    envoy = chat.tick(2000, {"envoy-0": {"glidepath.chat.shadow": "100"}}, limited).writes
    again.restore(json.loads(encode(chat.state)), 2000)
    unknown = QuotaForecast(settings).outlook(again.state, {"chat": again.state}, 0)
    assert (unknown.known, unknown.most_copies) == (False, 25)
    assert again.tick(3000, envoy, TickContext(quota=unknown)).writes == {}
    assert "copies 25 % until the load is known (quota)" in again.status(3000).message
    without = SteeredWorkload(config())
    without.restore(json.loads(encode(chat.state)), 2000)
    assert without.state.quota == NO_QUOTA


def test_a_new_leader_does_not_take_the_former_leaders_limit_of_the_copies_for_a_persons_share() -> None:
    settings, envoys = config({"requests": 500}), MemoryActuator(1)
    chat, again = SteeredWorkload(settings), SteeredWorkload(settings)
    chat.set_ramp(phase=Phase.BAKING, percent=10)
    stored = None
    for number, most in enumerate((100.0, 100.0, 100.0, 25.0)):  # the ramp itself changes in the first ticks
        done = chat.tick(2000 + number, envoys.readings(), TickContext(quota=QuotaOutlook(most_copies=most)))
        stored = done.record.state or stored
        envoys.submit(done.writes)
    assert done.decisions == ()  # a limit alone is no decision
    assert (envoys.readings()["envoy-0"] or {})["glidepath.chat.shadow"] == "25"
    assert stored is not None
    again.restore(json.loads(stored), 2002)  # the former leader ended before it stored anything else
    known = TickContext(quota=QuotaOutlook(most_copies=50.0))
    assert again.decisions(2003, envoys.readings(), known) == ()
    assert again.state.ramp.shadow_override is None


def test_a_tick_limits_the_copies_holds_the_step_and_says_so() -> None:
    chat = SteeredWorkload(config({"requests": 500}))
    chat.set_ramp(phase=Phase.BAKING, percent=10)
    full = TickContext(quota=QuotaOutlook("quota of backends.onprem: full", most_copies=25, copies_note="copies 25 %"))
    envoy = {"envoy-0": {"glidepath.chat.shadow": "100"}}
    writes = chat.tick(2000, envoy, full).writes["envoy-0"]
    assert writes["glidepath.chat.shadow"] == "25"
    assert "copies 25 %" in chat.status(2000).message
    promote = News(commands=(Command(CommandKind.PROMOTE, "ann", id="9-0"),))
    refused = chat.decisions(3000, envoy, full, news=promote)[-1]
    assert (refused.event, refused.reason) == ("refused", "quota of backends.onprem: full; --force continues anyway")
    chat.set_ramp(shadow_override=80.0)  # a person's share is not lowered
    assert chat.tick(4000, envoy, full).writes["envoy-0"]["glidepath.chat.shadow"] == "80"


def test_only_a_workload_whose_backends_have_a_quota_counts_its_load() -> None:
    for quota, minutes in (({"requests": 5}, 1), (None, 0)):
        chat = SteeredWorkload(config(quota))
        chat.fold(News(outcomes=(flush(MINUTE, baseline=3),)))
        assert len(chat.state.recent.load.minutes) == minutes
