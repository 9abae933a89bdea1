"""Tests of `glidepath calibrate`, from a file and from the stored results."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
import redis.asyncio
import yaml

from glidepath.agreement_weights import read_weights, shipped_weights
from glidepath.config import load_config, parse_config
from glidepath.errors import InputError, UnreachableError
from glidepath.protobuf_codec import encode_scored
from glidepath.redis_keys import WorkloadKeys
from glidepath.served_digest import served_digest
from tests.support.chat_config import CHAT_CONFIG
from tests.support.commands import run_cli, write_events
from tests.support.evidence_builders import pair


def test_calibrate_from_a_file(config: Path, tmp_path: Path) -> None:
    lines = [{"t": i, "side": "baseline", "agreement": 0.9, "noise": 0.95, "latency_ms": 100} for i in range(60)]
    text = run_cli("calibrate", "-c", str(config), "-w", "chat", "--from", str(write_events(tmp_path / "f", *lines)))
    assert "sameness: {margin: 0.02}" in text
    assert "# noise floor 0.950" in text


def test_calibrate_needs_no_name_of_the_only_workload(config: Path, tmp_path: Path) -> None:
    lines = [{"t": i, "side": "baseline", "agreement": 0.9, "noise": 0.95, "latency_ms": 100} for i in range(60)]
    assert "chat:" in run_cli("calibrate", "-c", str(config), "--from", str(write_events(tmp_path / "f", *lines)))


def test_calibrate_refuses_lines_without_valid_numbers(config: Path, tmp_path: Path) -> None:
    for raw in ("[1]", '{"agreement": "x"}', '{"agreement": 2}', "{"):
        (tmp_path / "f").write_text(raw)
        with pytest.raises(InputError, match="f:1: "):
            run_cli("calibrate", "-c", str(config), "-w", "chat", "--from", str(tmp_path / "f"))


async def _store(url: str, **fields: str) -> None:
    client = redis.asyncio.from_url(url)
    for i in range(80):
        one = replace(pair(0.9 + 0.05 * (i % 2), 1000 + i), **fields)
        await client.xadd(WorkloadKeys("chat").results, {"r": encode_scored(one)})
    await client.aclose()


async def test_calibrate_from_the_stored_results(redis_url: str, tmp_path: Path) -> None:
    from glidepath_ops.cli.calibrate import read_redis

    await _store(redis_url)
    client = redis.asyncio.from_url(redis_url)
    try:
        history = await read_redis(parse_config(CHAT_CONFIG), client, "chat", 50)
    finally:
        await client.aclose()
    assert len(history.agreements) == 50
    assert history.left_out == 0


@pytest.mark.parametrize(
    "other",
    [{"served": "0123456789ab"}, {"weights": "0123456789ab"}, {"scorer": "onnx:another-model"}],
)
def test_results_of_a_replaced_candidate_weights_or_embedder_are_left_out(
    config: Path, redis_url: str, other: dict[str, str]
) -> None:
    config.write_text(CHAT_CONFIG + f"redis: {{url: '{redis_url}'}}\n")
    settings = load_config(config)
    now = {
        "served": served_digest(settings, "chat"),
        "weights": shipped_weights().digest,
        "scorer": f"{settings.scorer.embedder.engine}:{settings.scorer.embedder.model}",
    }
    asyncio.run(_store(redis_url, **{**now, **other}))
    with pytest.raises(InputError, match=r"no scored pairs of chat yet.* \(80 results left out: made with other backe"):
        run_cli("calibrate", "-c", str(config), "-w", "chat")
    asyncio.run(_store(redis_url, **now))
    text = run_cli("calibrate", "-c", str(config), "-w", "chat")
    assert "80 pairs)" in text
    assert "# 80 results left out" in text
    assert json.loads(run_cli("calibrate", "-c", str(config), "-w", "chat", "--json"))["left_out"] == 80


def test_calibrate_without_a_redis_names_the_url(config: Path) -> None:
    config.write_text(CHAT_CONFIG + "redis: {url: 'redis://127.0.0.1:1/0'}\n")
    with pytest.raises(UnreachableError, match=r"\.yaml:\d+: redis\.url: redis://127\.0\.0\.1:1/0"):
        run_cli("calibrate", "-c", str(config), "-w", "chat")


def test_calibrate_from_a_redis_with_a_key_of_another_type_is_one_line(config: Path, redis_url: str) -> None:
    with redis.from_url(redis_url) as client:
        client.set(WorkloadKeys("chat").results, "no stream")
    config.write_text(CHAT_CONFIG + f"redis: {{url: '{redis_url}'}}\n")
    with pytest.raises(UnreachableError, match=r"\.yaml:\d+: redis\.url: redis://.*WRONGTYPE"):
        run_cli("calibrate", "-c", str(config), "-w", "chat")


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
        run_cli("calibrate", "-c", str(config), "-w", "chat", "--from", str(tmp_path / "f"))


def test_calibrate_ignores_latencies_of_failures_and_latencies_of_zero(config: Path, tmp_path: Path) -> None:
    lines = [{"t": i, "side": "baseline", "ok": i % 3 == 0, "latency_ms": 100 if i % 3 == 0 else 0} for i in range(900)]
    text = run_cli("calibrate", "-c", str(config), "-w", "chat", "--from", str(write_events(tmp_path / "f", *lines)))
    assert "changes by up to 1.00 ×" in text


def test_calibrate_proposes_valid_settings_for_any_latencies(config: Path, tmp_path: Path) -> None:
    lines = [{"t": i, "latency_ms": 1e308 if i % 200 < 100 else 1e-300, "agreement": i % 2} for i in range(900)]
    text = run_cli("calibrate", "-c", str(config), "-w", "chat", "--from", str(write_events(tmp_path / "f", *lines)))
    base = yaml.safe_load(CHAT_CONFIG)
    base["workloads"]["chat"]["gates"] = yaml.safe_load(text)["workloads"]["chat"]["gates"]
    assert parse_config(yaml.safe_dump(base)).workload("chat").gates.latency[0].max_ratio <= 1000


def _labels(path: Path, count: int = 24) -> Path:
    """Write judged pairs in which a change of wording is not acceptable, even with the same meaning."""
    kinds = [("opens", "opens", "acceptable"), ("opens at nine", "begins to admit people at nine", "not")]
    lines = []
    for i in range(count):
        left, right, label = kinds[i % 2]
        more = f" on day {i} of the fair, and visitors need a ticket"
        extra = "." if label == "not" else " of their own."
        lines.append({"left": f"The hall {left}{more}.", "right": f"The hall {right}{more}{extra}", "label": label})
    lines.append({"left": "a", "right": "b", "label": "unsure"})
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return path


@pytest.mark.process
def test_labels_give_weights_and_figures(config: Path, tmp_path: Path) -> None:
    output = tmp_path / "weights.json"
    labels = _labels(tmp_path / "labels.jsonl")
    text = run_cli("calibrate", "-c", str(config), "-w", "chat", "--labels", str(labels), "-o", str(output))
    assert "24 judged pairs (12 acceptable, 12 not; left out: 1 without a judgement)" in text
    assert "accepted by people" in text
    assert f"scoring: {{calibration: {output}}}" in text
    fitted = read_weights(output)
    assert fitted.digest != shipped_weights().digest
    assert fitted.made["labels"] == {"pairs": 24, "same": 12}

    raw = json.loads(run_cli("calibrate", "-c", str(config), "-w", "chat", "--labels", str(labels), "--json"))
    assert raw["after"]["loss"] < raw["before"]["loss"]
    assert raw["output"] is None


@pytest.mark.process
def test_few_labels_write_no_weights(config: Path, tmp_path: Path) -> None:
    output, labels = tmp_path / "weights.json", _labels(tmp_path / "labels.jsonl", 18)
    text = run_cli("calibrate", "-c", str(config), "-w", "chat", "--labels", str(labels), "-o", str(output))
    assert "only 18 pairs" in text
    assert "do not show that new weights are better" in text
    assert not output.exists()


@pytest.mark.process
def test_labels_that_are_written_three_times_count_once(config: Path, tmp_path: Path) -> None:
    output, labels = tmp_path / "weights.json", _labels(tmp_path / "labels.jsonl", 8)
    labels.write_text("\n".join([labels.read_text()] * 3))
    text = run_cli("calibrate", "-c", str(config), "-w", "chat", "--labels", str(labels), "-o", str(output))
    assert "8 judged pairs (4 acceptable, 4 not; left out: 18 repeated, 1 without a judgement)" in text
    assert "only 8 pairs" in text
    assert not output.exists()


def test_a_line_of_labels_that_is_too_long_is_an_error(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text(json.dumps({"left": "a" * 20_000_000, "right": "b", "same": 1}))
    with pytest.raises(InputError, match=r"labels\.jsonl:1: the line is longer than"):
        run_cli("calibrate", "-c", str(config), "-w", "chat", "--labels", str(path))


@pytest.mark.process
def test_too_few_labels_of_one_kind_are_an_error(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text("\n".join(json.dumps({"left": f"a {i} b", "right": "c d", "same": 1}) for i in range(9)))
    with pytest.raises(InputError, match=r"needs at least 2 pairs .* \(got 9 and 0\)"):
        run_cli("calibrate", "-c", str(config), "-w", "chat", "--labels", str(path))


def test_an_output_without_labels_is_an_error(config: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--output: needs --labels"):
        run_cli("calibrate", "-c", str(config), "-w", "chat", "-o", str(tmp_path / "w.json"))


def test_a_file_of_scores_beside_labels_is_an_error(config: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--from: has no effect with --labels"):
        run_cli("calibrate", "-c", str(config), "-w", "chat", "--labels", "labels.jsonl", "--from", "scores.jsonl")


def test_a_missing_file_of_labels_is_an_error(config: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        run_cli("calibrate", "-c", str(config), "-w", "chat", "--labels", str(tmp_path / "none"))
