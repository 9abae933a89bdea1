"""Tests of the commands judge, plan and calibrate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import redis.asyncio
import yaml
from typer.testing import CliRunner

from glidepath.config import parse_config
from glidepath.errors import InputError, UnknownWorkloadError, UnreachableError
from glidepath.keys import WorkloadKeys
from glidepath.wire import encode_scored
from glidepath_ops.cli.main import build_app
from tests.support.evidence_builders import BACKENDS, pair


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "glidepath.yaml"
    path.write_text(BACKENDS)
    return path


def run(*args: str) -> str:
    """Return standard output; a GlidepathError is raised."""
    result = CliRunner().invoke(build_app(args[0]), list(args), catch_exceptions=False, standalone_mode=False)
    if isinstance(result.return_value, int) and result.return_value:
        raise AssertionError(result.output)
    return result.stdout


def outcomes(path: Path, *lines: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_judge_prints_one_json_object(config: Path, tmp_path: Path) -> None:
    line = {"t": 0.1, "side": "candidate", "ok": True, "latency_ms": 10, "agreement": 0.9}
    file = outcomes(tmp_path / "o.jsonl", line, {**line, "side": "baseline", "noise": 0.95})
    found = json.loads(run("judge", "--config", str(config), "--workload", "chat", str(file)))
    assert (found["workload"], found["events"], found["decision"]) == ("chat", 2, "hold")
    assert {"verdict", "value", "limit", "n", "first_decided_at"} <= set(found["gates"]["quality"])
    assert found["gates"]["quality"]["first_decided_at"] is None


def test_judge_names_an_invalid_line(config: Path, tmp_path: Path) -> None:
    file = outcomes(tmp_path / "o.jsonl", {"t": 0, "side": "baseline", "ok": False}, {"t": 1})
    with pytest.raises(InputError, match=r"o\.jsonl:2: side"):
        run("judge", "-c", str(config), "-w", "chat", str(file))


def test_judge_refuses_a_missing_file_or_workload(config: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        run("judge", "-c", str(config), "-w", "chat", str(tmp_path / "none"))
    with pytest.raises(UnknownWorkloadError, match="known: chat"):
        run("judge", "-c", str(config), "-w", "x", str(tmp_path / "none"))


@pytest.mark.slow
def test_plan_shows_one_line_per_step(config: Path) -> None:
    text = run("plan", "-c", str(config), "--rate", "chat=50")
    assert "chat: 50 requests/s" in text
    assert [line.split("  ")[1] for line in text.splitlines()[2:]][:3] == ["shadow", "1 %", "5 %"]


@pytest.mark.slow
def test_plan_shows_the_rules_of_each_step(config: Path) -> None:
    config.write_text(BACKENDS + "    ramp: {steps: [5, 50, 100], at: {50: {hold: 7d, min_samples: 5000}}}\n")
    head, *rows = run("plan", "-c", str(config)).splitlines()[1:6]
    place = head.index("hold")
    assert [row[place:].split()[:3] for row in rows] == [
        ["2", "d", "200"],
        ["2", "d", "200"],
        ["7", "d", "5000"],
        ["–", "200", "–"],
    ]


@pytest.mark.slow
def test_plan_as_json(config: Path) -> None:
    found = json.loads(run("plan", "-c", str(config), "--rate", "chat=50", "--json"))
    assert found["workloads"][0]["steps"][0]["percent"] == 0


@pytest.mark.parametrize("rate", ["chat", "chat=", "chat=-1", "chat=0", "chat=nan", "chat=inf", "chat=1e-300"])
def test_plan_refuses_an_invalid_rate(config: Path, rate: str) -> None:
    with pytest.raises(InputError, match="REQUESTS_PER_SECOND"):
        run("plan", "-c", str(config), "--rate", rate)


def test_calibrate_from_a_file(config: Path, tmp_path: Path) -> None:
    lines = [{"t": i, "side": "baseline", "agreement": 0.9, "noise": 0.95, "latency_ms": 100} for i in range(60)]
    text = run("calibrate", "-c", str(config), "-w", "chat", "--from", str(outcomes(tmp_path / "f", *lines)))
    assert "quality: {min_agreement: 0.9" in text
    assert "# noise floor 0.950" in text


def test_calibrate_refuses_lines_without_valid_numbers(config: Path, tmp_path: Path) -> None:
    for raw in ("[1]", '{"agreement": "x"}', '{"agreement": 2}', "{"):
        (tmp_path / "f").write_text(raw)
        with pytest.raises(InputError, match="f:1: "):
            run("calibrate", "-c", str(config), "-w", "chat", "--from", str(tmp_path / "f"))


async def _store(url: str) -> None:
    client = redis.asyncio.from_url(url)
    for i in range(80):
        await client.xadd(WorkloadKeys("chat").results, {"r": encode_scored(pair(0.9 + 0.05 * (i % 2), 1000 + i))})
    await client.aclose()


async def test_calibrate_from_the_stored_results(redis_url: str, tmp_path: Path) -> None:
    from glidepath_ops.cli.calibrate import read_redis

    await _store(redis_url)
    client = redis.asyncio.from_url(redis_url)
    try:
        history = await read_redis(client, "chat", 50)
    finally:
        await client.aclose()
    assert len(history.agreements) == 50


def test_calibrate_without_a_redis_names_the_url(config: Path) -> None:
    config.write_text(BACKENDS + "redis: {url: 'redis://127.0.0.1:1/0'}\n")
    with pytest.raises(UnreachableError, match=r"\.yaml:\d+: redis\.url: redis://127\.0\.0\.1:1/0"):
        run("calibrate", "-c", str(config), "-w", "chat")


def test_calibrate_from_a_redis_with_a_key_of_another_type_is_one_line(config: Path, redis_url: str) -> None:
    with redis.from_url(redis_url) as client:
        client.set(WorkloadKeys("chat").results, "no stream")
    config.write_text(BACKENDS + f"redis: {{url: '{redis_url}'}}\n")
    with pytest.raises(UnreachableError, match=r"\.yaml:\d+: redis\.url: redis://.*WRONGTYPE"):
        run("calibrate", "-c", str(config), "-w", "chat")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"latncy": 5}, r"f:1: latncy: unknown key, did you mean 'latency_ms'\? \(allowed: t, side, ok"),
        ({"ttft": 5}, "f:1: ttft: unknown key, did you mean 'ttft_ms'"),
        ({"Agreement": 0.9}, "f:1: Agreement: unknown key, did you mean 'agreement'"),
        ({"latency-ms": 5}, "f:1: latency-ms: unknown key, did you mean 'latency_ms'"),
    ],
)
def test_a_misspelled_key_is_refused(config: Path, tmp_path: Path, line: dict[str, object], message: str) -> None:
    file = outcomes(tmp_path / "f", {"t": 1, "side": "baseline", "ok": False} | line)
    with pytest.raises(InputError, match=message):
        run("judge", "-c", str(config), "-w", "chat", str(file))
    with pytest.raises(InputError, match=message):
        run("calibrate", "-c", str(config), "-w", "chat", "--from", str(file))


LINE = {"t": 1, "side": "candidate", "ok": True, "latency_ms": 5}


def stderr_of_judge(config: Path, file: Path) -> str:
    """Return what judge writes to standard error."""
    return CliRunner().invoke(build_app("judge"), ["judge", "-c", str(config), "-w", "chat", str(file)]).stderr


def test_judge_accepts_unknown_keys_and_warns_that_it_ignores_them(config: Path, tmp_path: Path) -> None:
    file = outcomes(tmp_path / "f", LINE | {"tpot_ms": 3, "request_id": "x", "inside": 1}, LINE | {"side": "baseline"})
    assert "ignored keys: tpot_ms, request_id, inside (known: t, side" in stderr_of_judge(config, file)


def test_judge_names_gates_that_the_file_has_no_data_for(config: Path, tmp_path: Path) -> None:
    gates = "{quality: {margin: 0.1}, latency: [{signal: per_token, quantile: p95}, {signal: ttft}]}"
    config.write_text(BACKENDS + f"    gates: {gates}\n")
    text = stderr_of_judge(config, outcomes(tmp_path / "f", LINE | {"agreement": 0.9, "noise": None}))
    assert "quality_margin can never pass here: no event has noise" in text
    assert "per_token_p95 can never pass here: an event has no field for it" in text
    assert "ttft_p99 can never pass here: no event has ttft_ms" in text
    assert "no event has the side baseline" in text


def test_judge_has_no_warning_if_every_gate_has_data(config: Path, tmp_path: Path) -> None:
    file = outcomes(tmp_path / "f", LINE | {"agreement": 0.9}, LINE | {"side": "baseline"})
    assert stderr_of_judge(config, file) == ""


def test_judge_warns_if_no_gate_is_gating(config: Path, tmp_path: Path) -> None:
    config.write_text(BACKENDS + "    gates: {quality: null, errors: null, latency: []}\n")
    assert "no gate is gating: the decision here is always hold" in stderr_of_judge(
        config, outcomes(tmp_path / "f", LINE)
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"t": NaN, "agreement": 0.9}', "f:1: t: must be a number"),
        ('{"latency_ms": -5}', "f:1: latency_ms: must be at least 0"),
        ('{"latency_ms": true}', "f:1: latency_ms: must be a number"),
        ('{"agreement": false}', "f:1: agreement: must be a number"),
        ('{"agreement": -0.1}', "f:1: agreement: must be 0 to 1"),
        ('{"noise": 1e999}', "f:1: noise: must be a number"),
        ('{"side": "left"}', "f:1: side: must be baseline or candidate"),
        ('{"ok": 1}', "f:1: ok: must be true or false"),
        ("[" * 100_000, "f:1: not JSON"),
    ],
)
def test_calibrate_refuses_the_same_lines_as_judge(config: Path, tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "f").write_text(line)
    with pytest.raises(InputError, match=message):
        run("calibrate", "-c", str(config), "-w", "chat", "--from", str(tmp_path / "f"))


def test_calibrate_ignores_latencies_of_failures_and_latencies_of_zero(config: Path, tmp_path: Path) -> None:
    lines = [{"t": i, "side": "baseline", "ok": i % 3 == 0, "latency_ms": 100 if i % 3 == 0 else 0} for i in range(900)]
    text = run("calibrate", "-c", str(config), "-w", "chat", "--from", str(outcomes(tmp_path / "f", *lines)))
    assert "moves by up to 1.00 ×" in text


def test_plan_refuses_two_rates_for_one_workload(config: Path) -> None:
    with pytest.raises(InputError, match="--rate chat=2: chat is given twice"):
        run("plan", "-c", str(config), "--rate", "chat=1", "--rate", "chat=2")


def test_calibrate_proposes_valid_settings_for_any_latencies(config: Path, tmp_path: Path) -> None:
    lines = [{"t": i, "latency_ms": 1e308 if i % 200 < 100 else 1e-300, "agreement": i % 2} for i in range(900)]
    text = run("calibrate", "-c", str(config), "-w", "chat", "--from", str(outcomes(tmp_path / "f", *lines)))
    base = yaml.safe_load(BACKENDS)
    base["workloads"]["chat"]["gates"] = yaml.safe_load(text)["workloads"]["chat"]["gates"]
    assert parse_config(yaml.safe_dump(base)).workload("chat").gates.latency[0].max_ratio <= 1000
