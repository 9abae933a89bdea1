"""The replay of event files: parsing, decisions, the deciding event, speed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace as changed

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.errors import InputError
from glidepath.sides import Side
from scorer.steering.evidence.replay import ReplayEvent, ReplayResult, parse_events, replay
from tests.support.evidence_builders import workload_of

SAMENESS = "sameness: {min_agreement: 0.85, action: rollback}"
GATES = f"    ramp: {{min_samples: 100}}\n    gates: {{{SAMENESS}, latency: {{quantile: p95}}}}\n"


def events(
    n: int, *, seed: int = 1, slower: float = 1.0, bad_from: int | None = None, score: float = 0.93
) -> Iterator[ReplayEvent]:
    rng = np.random.default_rng(seed)
    sides, noise = rng.random(n) < 0.3, np.clip(rng.normal(score, 0.08, n), 0, 1)
    ms = 100 * rng.lognormal(0, 0.4, n)
    for i in range(n):
        own = bool(sides[i])
        ok = not (own and bad_from is not None and i >= bad_from)
        yield ReplayEvent(
            t=i * 0.02,
            side=Side.CANDIDATE if own else Side.BASELINE,
            ok=ok,
            latency_ms=float(ms[i] * (slower if own else 1.0)) if ok else None,
            ttft_ms=10.0,
            agreement=float(noise[i]) if own else None,
        )


def run(stream: Iterator[ReplayEvent]) -> ReplayResult:
    return replay(workload_of(GATES), stream)


@pytest.mark.slow
def test_a_healthy_candidate_is_decided_promote() -> None:
    result = run(events(6000))
    assert result.decision == "promote"
    assert result.events == 6000
    assert all(0 < result.decided_at[v.gate] < 6000 for v in result.verdicts if v.gate != "defects")


@pytest.mark.slow
@pytest.mark.parametrize("percent", [1, 80])
def test_only_a_wrong_split_is_decided_hold(percent: float) -> None:
    result = replay(workload_of(GATES + "    sticky: {random: true}\n"), events(6000), percent)
    assert [v.gate for v in result.verdicts if v.gating and v.outcome == "fail"] == ["split"]
    assert result.decision == "hold"


def test_a_wrong_split_does_not_hide_a_broken_candidate() -> None:
    result = replay(workload_of(GATES), events(3000, bad_from=1500), 80)
    assert result.decision == "rollback_to_zero"


def outage(n: int, start: int, end: int) -> Iterator[ReplayEvent]:
    """Yield events of a healthy candidate. From event ``start`` to ``end``, all requests of both sides fail."""
    for index, event in enumerate(events(n)):
        failed = start <= index < end
        yield changed(event, ok=False, latency_ms=None, ttft_ms=None, agreement=None) if failed else event


@pytest.mark.slow
def test_an_outage_of_both_sides_is_decided_hold_until_it_ends() -> None:
    during = run(outage(6400, 6000, 6400))
    assert during.decision == "hold"
    (guard,) = [v for v in during.verdicts if v.gate == "errors_fast"]
    assert guard.blocks_step
    assert "both sides fail at present" in guard.message
    assert run(outage(6400, 6000, 6300)).decision == "promote"


def test_too_few_events_are_decided_hold() -> None:
    assert run(events(200)).decision == "hold"


def test_no_events_are_decided_hold_with_every_gate_inconclusive() -> None:
    result = run(iter(()))
    assert (result.decision, result.events, result.decided_at) == ("hold", 0, {})
    assert {v.outcome for v in result.verdicts} == {"inconclusive"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stream", "gate"), [({"slower": 1.8}, "latency_p95"), ({"score": 0.78}, "sameness")], ids=["latency", "sameness"]
)
def test_a_regression_rolls_back_and_names_the_event(stream: dict[str, float], gate: str) -> None:
    result = run(events(4000, **stream))  # type: ignore[arg-type]
    assert result.decision == "rollback"
    found = result.to_json("chat")["gates"][gate]
    assert found["verdict"] == "fail"
    assert 0 < found["first_decided_at"] < 3000


def test_a_catastrophe_goes_to_zero_within_ten_bad_answers() -> None:
    stream = list(events(3000, bad_from=2000))
    result = run(iter(stream))
    assert result.decision == "rollback_to_zero"
    at = result.decided_at["errors_fast"]
    assert sum(not e.ok for e in stream[: at + 1]) <= 10


def test_without_error_kinds_there_is_no_gate_candidate_down() -> None:
    result = run(events(600, bad_from=0))
    assert result.decision == "rollback_to_zero"
    assert "candidate_down" not in result.to_json("chat")["gates"]


@pytest.mark.slow
def test_the_deciding_event_is_the_first_with_which_the_verdict_is_reached() -> None:
    stream = list(events(4000, score=0.78))
    at = run(iter(stream)).decided_at["sameness"]
    outcome = {v.gate: v.outcome for v in run(iter(stream[: at + 1])).verdicts}
    before = {v.gate: v.outcome for v in run(iter(stream[:at])).verdicts}
    assert (before["sameness"], outcome["sameness"]) == ("inconclusive", "fail")


@pytest.mark.slow
def test_an_outage_of_both_sides_is_not_the_candidates_fault() -> None:
    stream = [
        ReplayEvent(e.t, e.side, ok=not 2000 <= i < 2200, latency_ms=e.latency_ms, agreement=e.agreement)
        for i, e in enumerate(events(6000))
    ]
    result = run(iter(stream))
    assert result.decision in ("promote", "hold")
    assert {v.outcome for v in result.verdicts if v.gate == "errors_fast"} == {"pass"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_latency_that_rises_and_falls_on_both_sides_is_not_the_candidates_fault(seed: int) -> None:
    waves = (1.0, 3.0, 0.5, 2.0)
    stream = [
        ReplayEvent(e.t, e.side, True, (e.latency_ms or 0.0) * waves[i // 1000 % 4], agreement=e.agreement)
        for i, e in enumerate(events(6000, seed=seed))
    ]
    assert run(iter(stream)).decision in ("promote", "hold")


@pytest.mark.slow
def test_the_time_of_a_replay_grows_no_faster_than_the_number_of_events() -> None:
    """Four times as many events take four times as long; with a quadratic part, they would take up to sixteen times."""

    def took(number: int) -> float:
        stream = list(events(number))
        began = time.process_time()
        run(iter(stream))
        return time.process_time() - began

    few = min(took(4_000) for _ in range(3))
    assert took(16_000) < 8 * few


def test_the_rate_does_not_depend_on_the_order_of_the_lines() -> None:
    stream = list(events(200))
    missing = {v.gate: v.eta_s for v in run(iter(stream)).verdicts}
    swapped = [
        ReplayEvent(a.t, b.side, b.ok, b.latency_ms, b.ttft_ms, b.agreement)
        for a, b in zip(stream[::-1], stream, strict=True)
    ]
    assert {v.gate: v.eta_s for v in run(iter(swapped)).verdicts} == missing
    assert any(missing.values())


def test_a_line_is_read_into_an_event() -> None:
    line = b'{"t": 1.5, "side": "candidate", "ok": true, "latency_ms": 12, "ttft_ms": 3, "agreement": 0.9, "x": 1}'
    assert list(parse_events([line, b"  \n"], "f")) == [ReplayEvent(1.5, Side.CANDIDATE, True, 12.0, 3.0, 0.9)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "f:2: not JSON"),
        (b"[]", "f:2: must be a JSON object"),
        (b'{"t":1,"side":"left","ok":true,"latency_ms":1}', "f:2: side: must be baseline or candidate"),
        (b'{"t":1,"side":"baseline","ok":1,"latency_ms":1}', "f:2: ok: must be true or false"),
        (b'{"side":"baseline","ok":true,"latency_ms":1}', "f:2: t: is missing"),
        (b'{"t":1,"side":"baseline","ok":true}', "f:2: latency_ms: is missing"),
        (b'{"t":1,"side":"baseline","ok":true,"latency_ms":-1}', "f:2: latency_ms: must be at least 0"),
        (b'{"t":1,"side":"baseline","ok":true,"latency_ms":NaN}', "f:2: latency_ms: must be a number"),
        (b'{"t":1,"side":"baseline","ok":true,"latency_ms":1,"agreement":1.1}', "f:2: agreement: must be 0 to 1"),
        (b'{"t":1,"side":"baseline","ok":false,"feedback":-1}', "f:2: feedback: must be 0 to 1"),
        (b'{"t":1,"side":"baseline","ok":false,"exact":1}', "f:2: exact: must be true or false"),
        (b'{"t":1,"side":"baseline","ok":false,"correct":1}', "f:2: correct: must be an object such as"),
        (b'{"t":1,"side":"baseline","ok":false,"correct":{"baseline":1}}', "f:2: correct: needs the keys baseline and"),
        (b'{"t":1,"side":"baseline","ok":false,"correct":{"baseline":1,"candidate":2}}', "f:2: candidate: must be 0"),
        (b'{"t":1,"side":"baseline","ok":false,"preference":2}', "f:2: preference: must be 0 to 1"),
        (b'{"t":1,"side":"baseline","ok":true,"latency_ms":1' + b"0" * 400 + b"}", "f:2: latency_ms: must be a number"),
        (b'{"t":1,"side":"baseline","ok":true,"latency_ms":"1"}', "f:2: latency_ms: must be a number"),
        (b'{"t":1,"side":"baseline","ok":false,"expected":1}', "f:2: expected: must be a string"),
        (b"[" * 100_000, "f:2: "),
        (b" " + b"x" * 1_000_001, "f:2: the line is longer"),
        (b"\xff\xfe", "f:2: not JSON"),
    ],
)
def test_a_bad_line_is_named_with_its_number(line: bytes, message: str) -> None:
    good = json.dumps({"t": 0, "side": "baseline", "ok": False}).encode()
    with pytest.raises(InputError) as raised:
        list(parse_events([good, line], "f"))
    assert str(raised.value).startswith(message)


def test_each_class_is_judged_by_itself() -> None:
    text = "    task: classification\n    scoring: {classification: {matter: [fraud]}}\n    gates: {latency: []}\n"
    line = {
        "t": 1.0,
        "side": "candidate",
        "ok": True,
        "latency_ms": 5,
        "agreement": 1.0,
        "expected": "ham",
        "got": "ham",
    }
    lost = line | {"agreement": 0.0, "expected": "fraud"}
    lines = [json.dumps(lost if i % 50 == 0 else line).encode() for i in range(1500)]
    result = replay(workload_of(text), parse_events(lines, "f"))
    assert {v.gate for v in result.verdicts if v.outcome == "fail"} == {"recall_fraud"}
    assert result.decision == "rollback"


@given(st.binary(max_size=300))
def test_any_line_gives_an_event_or_an_input_error(line: bytes) -> None:
    try:
        found = list(parse_events([line], "f"))
    except InputError:
        return
    assert len(found) <= 1


def test_defects_of_the_candidate_alone_roll_back() -> None:
    stream = list(events(600))
    worse = [changed(e, defect="candidate" if i % 3 else "neither") for i, e in enumerate(stream)]
    assert run(iter(worse)).decision == "rollback"
    alike = [changed(e, defect="both" if i % 3 else "neither") for i, e in enumerate(stream)]
    assert {v.gate: v.outcome for v in run(iter(alike)).verdicts}["defects"] == "pass"


def test_recorded_preferences_decide_the_preference_gate() -> None:
    evaluator = "    scoring: {evaluator: {url: 'http://127.0.0.1:1', model: judge}}\n"
    line = b'{"t": 1, "side": "candidate", "ok": true, "latency_ms": 12, "preference": %s}'
    for score, outcome in ((b"0", "fail"), (b"0.9", "pass")):
        result = replay(workload_of(GATES + evaluator), parse_events([line % score] * 200, "f"))
        assert {v.gate: (v.outcome, v.n) for v in result.verdicts}["preference"] == (outcome, 200)
    assert "preference" not in {v.gate for v in replay(workload_of(GATES), parse_events([line % b"0"], "f")).verdicts}


def test_recorded_correctness_decides_the_correctness_gates_of_the_total_and_of_a_class() -> None:
    verifier = "    scoring: {verifier: {command: [verify]}, classification: {matter: [fraud]}}\n"
    line = (
        b'{"t": 1, "side": "candidate", "ok": true, "latency_ms": 12, "expected": "fraud", "got": "ok", "correct": %s}'
    )
    for found, outcome in ((b'{"baseline": 1, "candidate": 0}', "fail"), (b'{"baseline": 1, "candidate": 1}', "pass")):
        workload = workload_of("    task: classification\n" + GATES + verifier)
        verdicts = {
            v.gate: (v.outcome, v.n) for v in replay(workload, parse_events([line % found] * 300, "f")).verdicts
        }
        assert verdicts["correctness"] == verdicts["correctness_fraud"] == (outcome, 300)


@pytest.mark.parametrize(("key", "value"), [("exact", b"false"), ("got", b'"other"')])
def test_recorded_answers_that_are_not_exactly_equal_fail(key: str, value: bytes) -> None:
    line = b'{"t": 1, "side": "candidate", "ok": true, "latency_ms": 12, "expected": "a", "%s": %s}'
    task = "    task: tools\n" if key == "exact" else "    task: classification\n"
    events = parse_events([line % (key.encode(), value)] * 100, "f")
    verdicts = {v.gate: (v.outcome, v.n) for v in replay(workload_of(task + GATES), events).verdicts}
    assert verdicts["correctness"] == ("fail", 100)


def test_recorded_feedback_decides_the_feedback_gate() -> None:
    line = b'{"t": 1, "side": "%s", "ok": true, "latency_ms": 12, "feedback": %d}'
    lines = [line % (b"candidate", 0), line % (b"baseline", 1)] * 150
    verdicts = {v.gate: v for v in replay(workload_of("    feedback: {}\n" + GATES), parse_events(lines, "f")).verdicts}
    assert (verdicts["feedback"].outcome, verdicts["feedback"].n) == ("fail", 150)


def test_an_unknown_defective_side_is_refused() -> None:
    line = b'{"t": 1, "side": "baseline", "ok": false, "defect": "left"}'
    with pytest.raises(InputError, match="defect: must be candidate, baseline, both, neither"):
        list(parse_events([line], "f"))


def test_the_rate_of_exact_calls_is_part_of_the_result_if_events_have_calls() -> None:
    line = b'{"t": 1, "side": "candidate", "ok": true, "latency_ms": 12, "exact_call": %s}'
    lines = [line % value for value in (b"true", b"true", b"false", b"null")]
    result = replay(workload_of(GATES), parse_events(lines, "f")).to_json("chat")
    assert result["exact_calls"] == {"pairs": 3, "share": 0.6667}
    assert "exact_calls" not in run(events(3)).to_json("chat")
    with pytest.raises(InputError, match="f:1: exact_call: must be true or false"):
        list(parse_events([line % b"0.5"], "f"))


def timed(tokens: float | None, n: int = 3000) -> list[ReplayEvent]:
    """Return events of both sides. The candidate's answers are twice as long and take twice as long."""
    rng = np.random.default_rng(5)
    found = []
    for i in range(n):
        side, longer = (Side.CANDIDATE, 2) if i % 2 else (Side.BASELINE, 1)
        ms = 1000 * longer * float(rng.lognormal(0, 0.2))
        found.append(ReplayEvent(i, side, True, latency_ms=ms, tokens=None if tokens is None else tokens * longer))
    return found


def test_events_with_tokens_are_judged_by_the_time_per_token() -> None:
    workload = workload_of("    gates: {latency: {signal: per_token, quantile: p95}}\n")
    (found,) = (v for v in replay(workload, timed(100), 10).verdicts if v.gate == "per_token_p95")
    assert (found.outcome, found.n) == ("pass", 1500)
    assert found.value == pytest.approx(1.0, abs=0.1)


def test_a_file_without_configured_gates_is_judged_by_what_its_events_have() -> None:
    names = {v.gate: v.outcome for v in replay(workload_of(), timed(None), 10).verdicts}
    assert names["latency_p95"] == "fail"
    assert not {"per_token_p95", "ttft_p95", "sameness_margin"} & set(names)
    written = workload_of("    shadow: {same_side: 5}\n    gates: {latency: {signal: ttft}}\n")
    assert {"ttft_p99", "sameness_margin"} <= {v.gate for v in replay(written, [], 10).verdicts}
