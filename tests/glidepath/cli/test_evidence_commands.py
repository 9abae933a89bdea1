"""The commands judge, plan and calibrate as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import redis.asyncio
from typer.testing import CliRunner

from glidepath.cli.main import build_app
from glidepath.errors import InputError, UnknownWorkloadError, UnreachableError
from glidepath.keys import WorkloadKeys
from glidepath.wire import encode_scored
from tests.support.evidence import BACKENDS, pair


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "glidepath.yaml"
    path.write_text(BACKENDS)
    return path


def run(*args: str) -> str:
    """Standard output; errors of ours come as they are."""
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


def test_judge_names_the_line_that_is_wrong(config: Path, tmp_path: Path) -> None:
    file = outcomes(tmp_path / "o.jsonl", {"t": 0, "side": "baseline", "ok": False}, {"t": 1})
    with pytest.raises(InputError, match=r"o\.jsonl:2: side"):
        run("judge", "-c", str(config), "-w", "chat", str(file))


def test_judge_of_a_file_or_workload_that_is_not_there(config: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        run("judge", "-c", str(config), "-w", "chat", str(tmp_path / "none"))
    with pytest.raises(UnknownWorkloadError, match="known: chat"):
        run("judge", "-c", str(config), "-w", "x", str(tmp_path / "none"))


def test_plan_shows_a_line_a_step(config: Path) -> None:
    text = run("plan", "-c", str(config), "--rate", "chat=50")
    assert "chat: 50 requests/s" in text
    assert [line.split("  ")[1] for line in text.splitlines()[2:]][:3] == ["shadow", "1 %", "5 %"]


def test_plan_as_json(config: Path) -> None:
    found = json.loads(run("plan", "-c", str(config), "--rate", "chat=50", "--json"))
    assert found["workloads"][0]["steps"][0]["percent"] == 0


@pytest.mark.parametrize("rate", ["chat", "chat=", "chat=-1", "chat=nan", "chat=inf"])
def test_plan_refuses_a_rate_that_is_none(config: Path, rate: str) -> None:
    with pytest.raises(InputError, match="REQUESTS_PER_SECOND"):
        run("plan", "-c", str(config), "--rate", rate)


def test_calibrate_from_a_file(config: Path, tmp_path: Path) -> None:
    lines = [{"t": i, "side": "baseline", "agreement": 0.9, "noise": 0.95, "latency_ms": 100} for i in range(60)]
    text = run("calibrate", "-c", str(config), "-w", "chat", "--from", str(outcomes(tmp_path / "f", *lines)))
    assert "quality: {min_agreement: 0.9" in text
    assert "# noise floor 0.950" in text


def test_calibrate_refuses_what_holds_no_numbers(config: Path, tmp_path: Path) -> None:
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
    from glidepath.cli.calibrate import read_redis

    await _store(redis_url)
    client = redis.asyncio.from_url(redis_url)
    try:
        history = await read_redis(client, "chat", 50)
    finally:
        await client.aclose()
    assert len(history.agreements) == 50


def test_calibrate_without_a_redis_says_where_it_looked(config: Path) -> None:
    config.write_text(BACKENDS + "redis: {url: 'redis://127.0.0.1:1/0'}\n")
    with pytest.raises(UnreachableError, match=r"\.yaml:\d+: redis\.url: redis://127\.0\.0\.1:1/0"):
        run("calibrate", "-c", str(config), "-w", "chat")


def test_calibrate_from_a_redis_that_holds_something_else_is_one_line(config: Path, redis_url: str) -> None:
    with redis.from_url(redis_url) as client:
        client.set(WorkloadKeys("chat").results, "no stream")
    config.write_text(BACKENDS + f"redis: {{url: '{redis_url}'}}\n")
    with pytest.raises(UnreachableError, match=r"\.yaml:\d+: redis\.url: redis://.*WRONGTYPE"):
        run("calibrate", "-c", str(config), "-w", "chat")
