"""What comes in from outside: Envoy's runtime, stream entries, stored states. Nothing of it can bring the loop down."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from glidepath.config import parse_config
from glidepath.domain import AnswerFacts, Origin, Outcomes, PairKind, ScoredPair, Side, SideOutcomes
from glidepath.errors import InputError
from glidepath.histogram import Histogram
from glidepath.records import Command, CommandKind, Decision, Phase, to_json
from glidepath.wire import encode_outcomes
from scorer.steering.envoy.actuator import MemoryActuator
from scorer.steering.envoy.admin_actuator import admin_layer
from scorer.steering.evidence import Evidence
from scorer.steering.leader.steer_metrics import SteerMetrics
from scorer.steering.leader.steering_store import _decode
from scorer.steering.ramp.states import Drill, DrillStage
from scorer.steering.state_store import News
from scorer.steering.workload.surroundings import Outlook
from scorer.steering.workload.workload import Track
from scorer.steering.workload.workload_status import status_of
from tests.support.steering import Scripted

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda c: (
        st.lists(c, max_size=3)
        | st.dictionaries(
            st.sampled_from(["layers", "entries", "layer_values", "glidepath.chat.x", "admin"]), c, max_size=4
        )
    ),
    max_leaves=12,
)


def runtime(layers: list[str], **entries: list[str]) -> bytes:
    body = {"layers": layers, "entries": {f"glidepath.{k}": {"layer_values": v} for k, v in entries.items()}}
    return json.dumps(body).encode()


def test_the_layer_named_admin_counts_wherever_it_stands() -> None:
    body = runtime(["file", "admin", "later"], a=["1", "2", "3"], b=["1", "", "3"])
    assert admin_layer(body) == {"glidepath.a": "2"}


def test_without_one_of_that_name_the_last_layer_counts() -> None:
    assert admin_layer(runtime(["file", "mine"], a=["1", "2"])) == {"glidepath.a": "2"}


def test_keys_of_others_are_not_read() -> None:
    body = {"layers": ["admin"], "entries": {"envoy.x": {"layer_values": ["1"]}}}
    assert admin_layer(json.dumps(body).encode()) == {}


def test_an_envoy_without_runtime_layers_is_told_what_to_add() -> None:
    with pytest.raises(ValueError, match="add an admin_layer to layered_runtime"):
        admin_layer(json.dumps({"layers": [], "entries": {}}).encode())


@given(st.one_of(st.binary(), JSON.map(lambda v: json.dumps(v).encode())))
def test_whatever_answers_there_is_our_keys_or_a_value_error(body: bytes) -> None:
    try:
        values = admin_layer(body)
    except ValueError:
        return
    assert all(isinstance(k, str) and isinstance(v, str) for k, v in values.items())


@given(st.lists(st.tuples(st.sampled_from(["outcomes", "results", "commands"]), st.binary(max_size=60)), max_size=6))
def test_entries_that_are_no_records_are_counted_and_passed_by(entries: list[tuple[str, bytes]]) -> None:
    streams: dict[str, list[Any]] = {}
    fields = {"outcomes": b"o", "results": b"r", "commands": b"c"}
    for number, (stream, data) in enumerate(entries):
        streams.setdefault(stream, []).append((f"{number}-0".encode(), {fields[stream]: data}))
    news = _decode(streams)
    assert len(news.outcomes) + len(news.scored) + len(news.commands) + news.bad == len(entries)
    assert all(news.cursors[stream] == last[-1][0].decode() for stream, last in streams.items())


def test_good_entries_beside_bad_ones_are_taken_in() -> None:
    good = encode_outcomes(Outcomes("chat", "x", 1, 0, 1))
    hold = to_json(Command(CommandKind.HOLD, "ann")).encode()
    news = _decode(
        {
            "outcomes": [(b"1-0", {b"o": b"\xff"}), (b"2-0", {b"o": good}), (b"3-0", {})],
            "commands": [(b"9-0", {b"c": hold})],
        }
    )
    assert (len(news.outcomes), news.bad, news.commands[0].id) == (1, 2, "9-0")


@pytest.fixture
def track(valid_yaml: str) -> Track:
    one = Track("chat", parse_config(valid_yaml), Scripted())
    one.start(1000)
    return one


def test_a_track_survives_its_own_blob(track: Track, valid_yaml: str) -> None:
    again = Track("chat", parse_config(valid_yaml), Scripted())
    again.restore(json.loads(track.blob()), 2000)
    assert again.blob() == track.blob()
    assert again.state == track.state


def test_after_the_way_back_from_a_newer_version_the_workload_is_steered(track: Track, valid_yaml: str) -> None:
    track.state = replace(track.state, drill=Drill(DrillStage.WITHDRAWING, 10, "ann", 1))
    blob = json.loads(track.blob())
    for place in (blob, blob["ramp"], blob["ramp"]["drill"], blob["cursors"], blob["totals"]):
        place["of_a_newer_version"] = "0-0"
    again = Track("chat", parse_config(valid_yaml), Scripted())
    again.restore(blob, 2000)
    assert again.blob() == track.blob()


@given(
    raw=st.dictionaries(st.sampled_from(["ramp", "evidence", "cursors", "told", "totals", "seen"]), JSON, max_size=6)
)
def test_a_stored_state_that_cannot_be_read_is_an_input_error(raw: dict[str, Any]) -> None:
    config = parse_config(
        'backends: {a: {url: "http://a"}, b: {url: "http://b"}}\n'
        "workloads: {chat: {match: {path: /x}, baseline: a, candidate: b}}"
    )
    with pytest.raises(InputError, match="stored"):
        Track("chat", config, Scripted()).restore(raw, 0)


def test_evidence_of_another_version_begins_afresh_and_the_step_stays(track: Track, valid_yaml: str) -> None:
    stored = json.loads(track.blob())
    stored["evidence"] = {"of": "another version"}
    again = Track("chat", parse_config(valid_yaml), Scripted())
    again.restore(stored, 5000)
    assert (again.state.percent, again.state.epoch, again.state.since_ms) == (0, 1, 5000)


def test_a_bug_in_the_evidence_takes_neither_a_command_nor_the_next_guard_with_it(track: Track) -> None:
    track.state = replace(track.state, phase=Phase.BAKING, percent=10)
    poison = Outcomes("chat", "poison", 1, 2000, 2001)
    with pytest.raises(ZeroDivisionError):
        track.fold(News(outcomes=(poison,), commands=(Command(CommandKind.HOLD, "ann"),)))
    track.begin_anew(3000)
    assert (track.state.percent, track.state.since_ms, track.evidence.requests()) == (10, 3000, 0)
    assert [d.event for d in track.decide({}, Outlook(), 3000)] == ["hold"]
    assert track.decide({}, Outlook(), 3250) == ()
    failing = (SideOutcomes(Side.CANDIDATE, Origin.LIVE, requests=5, errors=5),)
    track.fold(News(outcomes=(Outcomes("chat", "x", 1, 3500, 3501, failing),)))
    assert [d.event for d in track.decide({}, Outlook(), 3600)] == ["rollback"]


def test_a_flush_that_was_sent_twice_counts_once(track: Track) -> None:
    flush = Outcomes(
        "chat", "x", 1, 2000, 2001, (SideOutcomes(Side.CANDIDATE, Origin.SHADOW, requests=5),), {"captured": 5}
    )
    track.fold(News(outcomes=(flush, flush)))
    assert (track.evidence.requests(), track.totals.coverage) == (5, {"captured": 5})


def test_probes_are_no_evidence_for_a_step_but_tell_at_the_last_one(track: Track) -> None:
    probe = ScoredPair("p", "chat", PairKind.CROSS, 2000, 2000, scored=True, agreement=0.95)
    probe = replace(probe, baseline=AnswerFacts(origin=Origin.PROBE))
    track.fold(News(scored=(probe,)))
    assert (track.evidence.agreement(), track.totals.pairs_scored) == (None, 1)
    track.state = replace(track.state, percent=100)
    track.fold(News(scored=(probe,)))
    assert track.evidence.agreement() == 0.95


def test_a_status_says_what_it_waits_for(track: Track) -> None:
    track.decide({}, Outlook(waiting_for="batch"), 2000)
    status = status_of(track, "me", 2000)
    assert status.message == "to 1 %: waits for batch"
    assert (status.phase, status.confirmed, status.envoys, status.leader) == ("shadow", 0, 0, "me")
    assert status.weights == {"onprem-or-cloud": 0, "cloud": 10_000}
    assert json.loads(to_json(status))["verdicts"][0]["gate"] == "quality"


def test_a_new_model_behind_the_same_name_gets_no_share_that_another_earned(track: Track, valid_yaml: str) -> None:
    track.decide({}, Outlook(), 2000)
    track.state = replace(track.state, phase=Phase.BAKING, percent=50)
    raw = yaml.safe_load(valid_yaml)
    gates, model = copy.deepcopy(raw), copy.deepcopy(raw)
    gates["workloads"]["chat"].setdefault("ramp", {})["min_samples"] = 77
    model["backends"]["onprem"]["model"] = "another"
    after = {}
    for name, text in (("gates", gates), ("model", model)):
        again = Track("chat", parse_config(yaml.safe_dump(text)), Scripted())
        again.restore(json.loads(track.blob()), 3000)
        events = [d.event for d in again.decide({}, Outlook(), 3000)]
        after[name] = (events, again.state.percent, again.state.phase)
    assert after["gates"] == (["reconfigure"], 50, Phase.BAKING)
    assert after["model"] == (["replace_backend"], 0, Phase.SHADOW)


def test_a_newborn_state_writes_nothing_to_envoys_that_serve_what_it_never_set(valid_yaml: str) -> None:
    track, envoys = Track("chat", parse_config(valid_yaml), Scripted()), MemoryActuator(2)
    track.start(1000, first_start=True)
    assert track.decide({}, Outlook(), 1500) == ()
    outlook = Outlook(unknown_weights=frozenset(envoys.runtime))
    assert [d.trigger for d in track.decide(envoys.readings(), outlook, 2000)] == ["state_lost"]
    assert track.writes(envoys.readings()) == {}
    track.fold(News(commands=(Command(CommandKind.RESUME, "ann"),)))
    track.decide(envoys.readings(), outlook, 3000)
    assert set(track.writes(envoys.readings())) == set(envoys.runtime)


def test_where_the_share_was_lost_the_real_evidence_judges_what_clients_get(valid_yaml: str) -> None:
    track, envoys = Track("chat", parse_config(valid_yaml), Evidence), MemoryActuator(1)
    track.start(1000, first_start=True)
    outlook = Outlook(unknown_weights=frozenset(envoys.runtime))
    assert [d.trigger for d in track.decide(envoys.readings(), outlook, 2000)] == ["state_lost"]
    for number in range(10):
        now_ms = 3000 + 250 * number
        sides = (
            SideOutcomes(Side.CANDIDATE, Origin.LIVE, requests=5, errors=5, error_kinds={"status_5xx": 5}),
            SideOutcomes(Side.BASELINE, Origin.LIVE, requests=5, latency_ms=Histogram.of([50.0] * 5)),
        )
        track.fold(News(outcomes=(Outcomes("chat", "x", number, now_ms, now_ms + 250, sides),)))
        events = [d.event for d in track.decide(envoys.readings(), outlook, now_ms + 250)]
        if events:
            break
    assert events == ["rollback"]
    assert track.writes(envoys.readings())["envoy-0"][track.names.candidate] == "0"


def test_an_envoy_that_this_state_told_before_is_no_stranger_when_it_comes_again(valid_yaml: str) -> None:
    track, envoys = Track("chat", parse_config(valid_yaml), Scripted()), MemoryActuator(1)
    track.start(1000, first_start=True)
    track.decide(envoys.readings(), Outlook(), 1500)
    assert set(track.writes(envoys.readings())) == {"envoy-0"}
    again = Outlook(unknown_weights=frozenset({"envoy-0", "envoy-0#2"}))
    assert track.decide(envoys.readings(), again, 2000) == ()


def test_a_shadow_share_set_by_hand_is_shown_until_it_is_given_back(track: Track) -> None:
    envoys = MemoryActuator(1)

    def tick(now_ms: int) -> str:
        track.decide(envoys.readings(), Outlook(), now_ms)
        envoys.submit(track.writes(envoys.readings()))
        return status_of(track, "me", now_ms).message

    assert "shadow share" not in tick(2000)
    for now_ms, away in ((3000, ""), (6000, "100")):
        envoys.set_runtime("envoy-0", {track.names.shadow: "0"})
        words = (
            "a person set the shadow share to 0 % (configured: 100 %); `glidepath shadow chat auto` or "
            f"{track.names.shadow}=100 at an Envoy resets it"
        )
        assert words in tick(now_ms)
        assert track.desired.shadow == "0"
        tick(now_ms + 250)
        envoys.set_runtime("envoy-0", {track.names.shadow: away})
        assert "shadow share" not in tick(now_ms + 500)
        assert (track.desired.shadow, track.state.shadow_override) == ("100", None)
        tick(now_ms + 750)


def test_a_shadow_share_by_command_reaches_the_envoys_until_auto_or_a_curl(track: Track) -> None:
    envoys = MemoryActuator(1)

    def tick(now_ms: int, *orders: float | None) -> tuple[str, tuple[Decision, ...]]:
        sent = tuple(Command(CommandKind.SHADOW, "ann", "dear", share, id=f"{now_ms}-0") for share in orders)
        track.fold(News(commands=sent))
        decisions = track.decide(envoys.readings(), Outlook(), now_ms)
        envoys.submit(track.writes(envoys.readings()))
        shown = (envoys.readings()["envoy-0"] or {}).get(track.names.shadow, "")
        return shown, tuple(d for d in decisions if d.event != "restore_weights")

    tick(1500)
    before = track.state
    shown, (said,) = tick(2000, 12.5)
    assert shown == '{"numerator":125000,"denominator":"MILLION"}'
    assert (said.event, said.actor, said.reason) == ("shadow", "ann", "copies 12.5 % of the requests: dear")
    assert said.details["shadow_percent"] == 12.5
    assert (track.state.epoch, track.state.percent, track.state.phase) == (before.epoch, before.percent, before.phase)
    assert tick(2500)[1] == ()
    words = "a person set the shadow share to 12.5 % (configured: 100 %); `glidepath shadow chat auto` or "
    assert words in status_of(track, "me", 2500).message
    assert tick(3000, None)[0] == "100"
    assert track.state.shadow_override is None
    assert "shadow share" not in status_of(track, "me", 3000).message
    tick(3500, 100.0)
    assert track.state.shadow_override is None  # the configured one: it may change in the file
    assert tick(4000, 10.0)[0] == "10"
    envoys.set_runtime("envoy-0", {track.names.shadow: "20"})
    assert [d.event for d in tick(4500)[1]] == ["adopt_shadow"]
    assert (track.state.shadow_override, tick(5000, None)[0]) == (20, "100")


@pytest.mark.parametrize("share", [-1.0, 100.5, float("nan"), float("inf")])
def test_a_shadow_share_that_is_none_is_refused_and_changes_nothing(track: Track, share: float) -> None:
    track.fold(News(commands=(Command(CommandKind.SHADOW, "ann", percent=share, id="1-0"),)))
    (said,) = track.decide(MemoryActuator(1).readings(), Outlook(), 1500)
    assert (said.event, track.state.shadow_override) == ("refused", None)
    assert "from 0 to 100 %" in said.reason


def test_live_requests_that_began_after_the_share_was_0_are_stray_and_long_answers_are_not(track: Track) -> None:
    def flush(seq: int, from_ms: int, *latencies: float) -> News:
        side = SideOutcomes(Side.CANDIDATE, Origin.LIVE, requests=len(latencies), latency_ms=Histogram.of(latencies))
        return News(outcomes=(Outcomes("chat", "x", seq, from_ms, from_ms + 250, (side,)),))

    envoys = MemoryActuator(1)
    track.fold(flush(0, 900, 50.0))
    for now_ms in (1500, 1750):
        assert track.decide(envoys.readings(), Outlook(), now_ms) == ()
        envoys.submit(track.writes(envoys.readings()))
    track.fold(flush(1, 9_000, 50.0))
    track.fold(flush(2, 60_000, 58_900.0))
    assert track.decide(envoys.readings(), Outlook(), 61_000) == ()
    track.fold(flush(3, 62_000, 58_900.0, 40.0))
    decisions = track.decide(envoys.readings(), Outlook(), 62_500)
    assert [(d.event, d.trigger) for d in decisions] == [("hold", "unexpected_traffic")]
    status = status_of(track, "me", 62_500)
    assert not status.share_known
    assert "the share is not known" in status.message
    track.fold(
        News(
            outcomes=(
                Outcomes(
                    "chat", "x", 4, 63_000, 63_250, (SideOutcomes(Side.CANDIDATE, Origin.LIVE, requests=5, errors=5),)
                ),
            )
        )
    )
    assert [d.event for d in track.decide(envoys.readings(), Outlook(), 63_500)] == ["rollback"]


def test_metrics_show_share_gates_and_envoys(track: Track) -> None:
    registry = CollectorRegistry()
    track.decide({}, Outlook(), 2000)
    SteerMetrics(registry).show(track)
    page = generate_latest(registry).decode()
    assert 'glidepath_workload_percent{workload="chat"} 0.0' in page
    assert 'glidepath_gate_verdict{gate="quality",workload="chat"} 0.0' in page


def test_coverage_without_a_time_is_added_up_and_says_nothing_of_clocks_or_steps(track: Track) -> None:
    told = Outcomes("chat", "scorer/trimmed", 1, 0, 0, coverage={"trimmed": 30}, arrived_ms=50_000)
    track.fold(News(outcomes=(told, told)))
    assert status_of(track, "me", 60_000).coverage == {"trimmed": 30}
    assert track.totals.left_out == 0
    assert track.clocks.least_ms() == 0
    assert "clock" not in status_of(track, "me", 60_000).message
