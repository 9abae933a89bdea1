"""Tests of `glidepath judge`, and of the event lines that judge and calibrate refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from glidepath.errors import InputError, UnknownWorkloadError
from glidepath_ops.cli.command_line import build_app
from tests.support.chat_config import CHAT_CONFIG
from tests.support.commands import run_cli, write_events


def test_judge_prints_one_json_object(config: Path, tmp_path: Path) -> None:
    line = {"t": 0.1, "side": "candidate", "ok": True, "latency_ms": 10, "agreement": 0.9}
    file = write_events(tmp_path / "o.jsonl", line, {**line, "side": "baseline", "noise": 0.95})
    found = json.loads(run_cli("judge", "--config", str(config), "--workload", "chat", str(file)))
    assert (found["workload"], found["events"], found["decision"]) == ("chat", 2, "hold")
    assert {"verdict", "value", "limit", "n", "action", "first_decided_at"} <= set(found["gates"]["errors"])
    assert found["gates"]["errors"]["first_decided_at"] is None


def test_judge_names_an_invalid_line(config: Path, tmp_path: Path) -> None:
    file = write_events(tmp_path / "o.jsonl", {"t": 0, "side": "baseline", "ok": False}, {"t": 1})
    with pytest.raises(InputError, match=r"o\.jsonl:2: side"):
        run_cli("judge", "-c", str(config), "-w", "chat", str(file))


def test_judge_refuses_a_missing_file_or_workload(config: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        run_cli("judge", "-c", str(config), "-w", "chat", str(tmp_path / "none"))
    with pytest.raises(UnknownWorkloadError, match="allowed: chat"):
        run_cli("judge", "-c", str(config), "-w", "x", str(tmp_path / "none"))


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
    file = write_events(tmp_path / "f", {"t": 1, "side": "baseline", "ok": False} | line)
    with pytest.raises(InputError, match=message):
        run_cli("judge", "-c", str(config), "-w", "chat", str(file))
    with pytest.raises(InputError, match=message):
        run_cli("calibrate", "-c", str(config), "-w", "chat", "--from", str(file))


LINE = {"t": 1, "side": "candidate", "ok": True, "latency_ms": 5}


def stderr_of_judge(config: Path, file: Path) -> str:
    return CliRunner().invoke(build_app("judge"), ["judge", "-c", str(config), "-w", "chat", str(file)]).stderr


def test_judge_accepts_unknown_keys_and_warns_that_it_ignores_them(config: Path, tmp_path: Path) -> None:
    file = write_events(
        tmp_path / "f", LINE | {"tpot_ms": 3, "request_id": "x", "inside": 1}, LINE | {"side": "baseline"}
    )
    assert "ignored keys: tpot_ms, request_id, inside (known: t, side" in stderr_of_judge(config, file)


def test_judge_names_gates_that_the_file_has_no_data_for(config: Path, tmp_path: Path) -> None:
    gates = "{sameness: {margin: 0.1}, latency: [{signal: per_token, quantile: p95}, {signal: ttft}]}"
    config.write_text(CHAT_CONFIG + f"    gates: {gates}\n")
    text = stderr_of_judge(config, write_events(tmp_path / "f", LINE | {"agreement": 0.9, "noise": None}))
    assert "sameness_margin can never pass here: no event has noise" in text
    assert "per_token_p95 can never pass here: no event has tokens" in text
    assert "ttft_p99 can never pass here: no event has ttft_ms" in text
    assert "no event has the side baseline" in text


def test_judge_says_that_no_gate_uses_the_noise_of_the_file(config: Path, tmp_path: Path) -> None:
    file = write_events(tmp_path / "f", LINE | {"agreement": 0.9, "noise": 0.95}, LINE | {"side": "baseline"})
    config.write_text(CHAT_CONFIG)
    assert "no gate uses noise: set the workload's shadow.same_side" in stderr_of_judge(config, file)
    config.write_text(CHAT_CONFIG + "    shadow: {same_side: 10%}\n")
    assert "no gate uses noise" not in stderr_of_judge(config, file)


def test_judge_has_no_warning_if_every_gate_has_data(config: Path, tmp_path: Path) -> None:
    file = write_events(tmp_path / "f", LINE | {"agreement": 0.9}, LINE | {"side": "baseline"})
    assert stderr_of_judge(config, file) == ""


def test_judge_warns_if_no_gate_is_gating(config: Path, tmp_path: Path) -> None:
    config.write_text(CHAT_CONFIG + "    gates: {sameness: null, errors: null, latency: []}\n")
    assert "no gate takes part in decisions, so the decision here is always hold" in stderr_of_judge(
        config, write_events(tmp_path / "f", LINE)
    )


@pytest.mark.process
def test_an_error_in_the_configuration_is_no_part_of_the_result(tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_text(CHAT_CONFIG + "    gates: {quality: {min_agreement: 75%}}\n")
    file = write_events(tmp_path / "o.jsonl", {"t": 0.1, "side": "baseline", "ok": True, "latency_ms": 10})
    command = [sys.executable, "-m", "glidepath_ops", "judge", "-c", str(tmp_path / "g.yaml"), "-w", "chat", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "write sameness" in done.stderr
    assert "Traceback" not in done.stderr
