"""Clock offsets: the requests of a step are found correctly whatever time the hosts' clocks show."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from glidepath.config import parse_config
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.pair_scores import ScoredPair
from glidepath.pairs import PairKind
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import Phase, to_json
from scorer.steering.envoy.actuator import MemoryActuator
from scorer.steering.evidence.accumulator import Evidence
from scorer.steering.leader.steer_metrics import SteerMetrics
from scorer.steering.store_protocol import News
from scorer.steering.workload.clock_offsets import WINDOW_MS, SourceClocks, skew_warning
from scorer.steering.workload.flush_deduplication import MAX_SOURCES
from scorer.steering.workload.steady_time import ClockReadings, SteadyTime
from scorer.steering.workload.workload_state import restart_evidence
from scorer.steering.workload.workload_state_codec import encode
from tests.support.steered_workload import SteeredWorkload

BEGAN = 1_000_000  # of the step, by Redis


def chat_at_10_percent(text: str) -> SteeredWorkload:
    chat = SteeredWorkload(parse_config(text), Evidence, now_ms=BEGAN)
    chat.set_ramp(phase=Phase.BAKING, percent=10)
    chat.state = restart_evidence(chat.state, BEGAN)
    return chat


def failures(number: int, redis_ms: int, skew_ms: int, source: str = "proxy") -> Outcomes:
    """Return a flush of a proxy whose clock is ``skew_ms`` ahead of Redis', written 3 ms after it ended."""
    side = SideOutcomes(Side.CANDIDATE, Origin.LIVE, requests=5, errors=5, error_kinds={"5xx": 5})
    end = redis_ms + skew_ms
    return Outcomes("chat", source, number, end - 250, end, (side,), arrived_ms=redis_ms + 3)


@pytest.mark.parametrize("skew_ms", [-3_600_000, -60_000, 0, 60_000, 3_600_000])
def test_a_failing_candidate_is_detected_whatever_time_the_proxys_clock_shows(valid_yaml: str, skew_ms: int) -> None:
    chat = chat_at_10_percent(valid_yaml)
    for number in range(4):
        chat.fold(News(outcomes=(failures(number, BEGAN + 300 + 250 * number, skew_ms),)))
    assert chat.state.evidence.requests() == 20
    assert [d.event for d in chat.decisions(BEGAN + 1300)] == ["rollback"]


@pytest.mark.parametrize("skew_ms", [-60_000, 0, 60_000])
def test_requests_from_before_the_step_are_left_out_and_counted(valid_yaml: str, skew_ms: int) -> None:
    chat = chat_at_10_percent(valid_yaml)
    flushes = [failures(n, BEGAN - 1000 + 250 * n, skew_ms) for n in range(4)]
    late = replace(flushes[0], seq=9, arrived_ms=BEGAN + 5_000)  # waited in a proxy while Redis was away
    chat.fold(News(outcomes=(*flushes, late)))
    assert (chat.state.evidence.requests(), chat.state.totals.left_out) == (0, 25)


def test_the_step_of_a_pair_is_found_with_the_offset_of_the_proxys_clock(valid_yaml: str) -> None:
    chat = chat_at_10_percent(valid_yaml)
    chat.fold(News(outcomes=(failures(0, BEGAN + 300, -60_000),)))
    before = ScoredPair("p", "chat", PairKind.CROSS, BEGAN - 60_500, BEGAN, scored=True, agreement=0.2)
    after = replace(before, captured_at_ms=BEGAN - 59_500, agreement=0.9)
    chat.fold(News(scored=(before, after)))
    assert (chat.state.evidence.agreement(), chat.state.totals.left_out) == (0.9, 1)


@pytest.mark.parametrize(("took_ms", "requests"), [(400, 0), (20_000, 5)])
def test_the_evidence_of_a_step_begins_when_every_envoy_confirms_or_after_a_time_limit(
    valid_yaml: str, took_ms: int, requests: int
) -> None:
    chat, envoys = chat_at_10_percent(valid_yaml), MemoryActuator(2)
    side = SideOutcomes(Side.CANDIDATE, Origin.LIVE, requests=5)
    confirmed_ms = BEGAN + took_ms
    writes = chat.tick(BEGAN + 100, envoys.readings()).writes
    chat.fold(News(outcomes=(Outcomes("chat", "proxy", 1, BEGAN, BEGAN + 250, (side,)),)))
    envoys.submit(writes)
    assert chat.state.evidence.requests() == 5
    chat.tick(confirmed_ms, envoys.readings())
    assert (chat.state.evidence.requests(), chat.state.totals.left_out) == (requests, 5 - requests)
    later = Outcomes("chat", "proxy", 2, confirmed_ms + 1, confirmed_ms + 250, (side,))
    chat.tick(confirmed_ms + 500, envoys.readings(), news=News(outcomes=(later,)))
    assert chat.state.evidence.requests() == requests + 5


@pytest.mark.parametrize(("confirmed_before", "requests"), [(False, 0), (True, 5)])
def test_a_new_leader_begins_the_evidence_of_a_step_that_no_envoy_had_confirmed(
    valid_yaml: str, confirmed_before: bool, requests: int
) -> None:
    chat, envoys = SteeredWorkload(parse_config(valid_yaml), Evidence, now_ms=BEGAN), MemoryActuator(2)
    envoys.submit(chat.tick(BEGAN, envoys.readings()).writes)  # the weights of 0 %
    chat.tick(BEGAN, envoys.readings())
    chat.set_ramp(phase=Phase.BAKING, percent=10)
    chat.state = restart_evidence(chat.state, BEGAN)
    writes = chat.tick(BEGAN, envoys.readings()).writes  # the weights of 10 %, stored but not sent yet
    assert writes
    if confirmed_before:
        envoys.submit(writes)
        chat.tick(BEGAN, envoys.readings())
    again = SteeredWorkload(parse_config(valid_yaml), Evidence)
    again.restore(json.loads(encode(chat.state)), BEGAN + 1000)
    side = SideOutcomes(Side.CANDIDATE, Origin.LIVE, requests=5)
    flush = Outcomes("chat", "proxy", 1, BEGAN + 1000, BEGAN + 1250, (side,))
    envoys.submit(again.tick(BEGAN + 1300, envoys.readings(), news=News(outcomes=(flush,))).writes)
    again.tick(BEGAN + 1400, envoys.readings())
    assert again.state.evidence.requests() == requests


def test_a_new_leader_continues_with_the_stored_clock_offsets(valid_yaml: str) -> None:
    chat = chat_at_10_percent(valid_yaml)
    chat.fold(News(outcomes=(failures(0, BEGAN + 300, -60_000),)))
    again = SteeredWorkload(parse_config(valid_yaml), Evidence)
    again.restore(json.loads(encode(chat.state)), BEGAN)
    assert again.state.streams.clocks.ahead_ms("proxy") == 60_003


def test_the_offset_of_a_clock_is_in_the_status_message_and_in_a_metric(valid_yaml: str) -> None:
    chat = chat_at_10_percent(valid_yaml)
    chat.tick(BEGAN + 400, news=News(outcomes=(failures(0, BEGAN + 300, -60_000),)))
    assert chat.status(BEGAN).message.endswith("; the clock of proxy is 60.0 s behind Redis' clock")
    registry = CollectorRegistry()
    SteerMetrics(registry).show(chat.state, to_json(chat.status(BEGAN)))
    assert 'glidepath_clock_skew_seconds{workload="chat"} -60.003' in generate_latest(registry).decode()


def test_clocks_that_differ_by_less_than_a_second_cause_no_warning() -> None:
    assert skew_warning(("proxy", 900)) == ""


def test_a_warning_names_the_scorers_own_clock() -> None:
    warning = skew_warning(SourceClocks().worst(SteadyTime(0, ClockReadings(wall_ms=60_000))))
    assert warning == "the clock of this scorer is 60.0 s ahead of Redis' clock"


def test_a_delayed_entry_does_not_change_the_offset_of_a_clock() -> None:
    clocks = SourceClocks().learn([("proxy", 1000, 1005), ("proxy", 2000, 60_000)])
    assert clocks.ahead_ms("proxy") == 5


@pytest.mark.parametrize("shift_ms", [-60_000, 60_000])
def test_the_offset_follows_a_clock_that_is_set(shift_ms: int) -> None:
    stamps = [("proxy", at + (shift_ms if at >= 2 * WINDOW_MS else 0), at + 2) for at in range(0, 5 * WINDOW_MS, 250)]
    assert SourceClocks().learn(stamps).ahead_ms("proxy") == 2 - shift_ms


@given(st.lists(st.tuples(st.text(max_size=3), st.integers(0, 2**50), st.integers(0, 2**50)), max_size=40))
def test_memory_is_bounded_for_any_timestamps(entries: list[tuple[str, int, int]]) -> None:
    known = SourceClocks().learn([(f"proxy-{n}", 1000, 1005) for n in range(MAX_SOURCES - 2)])
    clocks = known.learn(entries)
    again = SourceClocks.from_json(json.loads(json.dumps(clocks.to_json())))
    assert len(again.windows) <= MAX_SOURCES
    assert again == clocks
