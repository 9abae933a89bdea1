"""docs/reference/json.md has exactly the keys that the commands print."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from glidepath.status_and_decisions import Decision, SideStatus, Verdict, WorkloadStatus
from glidepath_ops.cli.command_line import COMMANDS, build_app
from glidepath_ops.demo.summary import DemoSummary
from tests.support.console_client import console_config
from tests.support.console_data import decision, pair, scored, status, store_decisions, store_pairs, store_status
from tests.support.pair_files import chat, line

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "json.md").read_text()
ROW = re.compile(r"^\| ((?:`[^`]+`(?:, )?)+) \|", re.MULTILINE)


def section(name: str) -> str:
    return PAGE.split(f"\n## {name}\n")[1].split("\n## ")[0]


def keys(name: str) -> set[str]:
    """Return the keys in the first column of the table of a section."""
    return {key for cell in ROW.findall(section(name)) for key in re.findall(r"`([^`]+)`", cell)}


def named(kind: Any) -> set[str]:
    return {one.name for one in fields(kind)}


async def printed(*arguments: str) -> list[Any]:
    result = await asyncio.to_thread(CliRunner().invoke, build_app(arguments[0]), list(arguments))
    assert result.exit_code in (0, 1), result.output
    return [json.loads(text) for text in result.stdout.splitlines() if text.startswith(("{", "["))]


def commands() -> Iterator[tuple[str, Any]]:
    for name in COMMANDS:
        group: Any = typer.main.get_command(build_app(name))
        command = group.get_command(None, name)
        yield name, command
        yield from ((f"{name} {inner}", one) for inner, one in getattr(command, "commands", {}).items())


def test_every_command_with_json_is_in_the_table() -> None:
    table, found = PAGE.split("\n## status\n")[0], 0
    for name, command in commands():
        if any("--json" in getattr(option, "opts", ()) for option in command.params):
            found += 1
            assert f"`{name}" in table, f"{name} --json is not in docs/reference/json.md"
    assert found > 15


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("status", named(WorkloadStatus) | {"error_examples"}),
        ("verdict", named(Verdict)),
        ("side", named(SideStatus)),
        ("decision", named(Decision)),
        ("summary", named(DemoSummary) | {"ok"}),
    ],
)
def test_a_record_has_the_keys_of_its_class(name: str, wanted: set[str]) -> None:
    assert wanted - keys(name) == set(), "missing on the page"
    assert keys(name) - wanted == set(), "not printed"


async def test_the_keys_are_those_of_real_output(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    console_config(tmp_path, valid_yaml, redis_url)
    file = ("-c", str(tmp_path / "glidepath.yaml"))
    await store_status(redis_client, status())
    await store_decisions(redis_client, decision("promote", 1))
    one = pair("r1", "The fee is 40 euros.", "The fee is 45 euros.")
    await store_pairs(redis_client, (one, scored(one, 0.4)))
    [statuses] = await printed("status", "--json", *file)
    assert statuses["chat"].keys() == keys("status")
    assert statuses["chat"]["verdicts"][0].keys() == keys("verdict")
    assert statuses["chat"]["baseline"].keys() == keys("side")
    [logged] = await printed("log", "--json", *file)
    assert logged.keys() == keys("decision")
    [result] = await printed("pairs", "list", "--json", *file)
    assert result.keys() == keys("result")
    [shown] = await printed("pairs", "show", "r1", "--json", *file)
    dataset = (Path(__file__).parents[3] / "docs" / "reference" / "pair-dataset.md").read_text()
    assert [key for key in shown if f"`{key}`" not in dataset] == ["feedback"]
    [plan] = await printed("plan", "--json", "--rate", "chat=2", *file)
    [planned] = plan["workloads"]
    assert planned.keys() | {"workloads", "movable_share", "rollback_load"} == keys("plan")
    assert [key for key in planned["steps"][0] if f"`{key}`" not in section("plan")] == []
    [calibrated] = await printed("calibrate", "--json", *file)
    assert calibrated.keys() == keys("calibration")
    [found] = await printed("doctor", "--json", *file)
    assert found.keys() == keys("findings")
    assert [key for key in found["findings"][0] if f"`{key}`" not in section("findings")] == []
    [order] = await printed("decommission", "--json", *file)
    assert order.keys() == keys("order")
    assert [key for key in order["order"][0] if f"`{key}`" not in section("order")] == []
    [checklist] = await printed("decommission", "chat", "--json", *file)
    assert checklist.keys() == keys("checklist")
    assert [key for key in checklist["items"][0] if f"`{key}`" not in section("checklist")] == []
    [cost] = await printed("cost", "--json", *file)
    assert cost.keys() == keys("cost")
    [erased] = await printed("erase", "--request-id", "r1", "--json", *file)
    assert erased["chat"].keys() == keys("erased")


async def test_the_keys_of_judge_and_score_are_those_of_real_output(tmp_path: Path, valid_yaml: str) -> None:
    (tmp_path / "glidepath.yaml").write_text(valid_yaml)
    (tmp_path / "events.jsonl").write_text('{"t": 0, "side": "candidate", "ok": true, "latency_ms": 10}\n')
    file = ("-c", str(tmp_path / "glidepath.yaml"))
    [judged] = await printed("judge", str(tmp_path / "events.jsonl"), "--workload", "chat", *file)
    assert judged.keys() | {"exact_calls"} == keys("judgement")
    gate = next(iter(judged["gates"].values()))
    assert set(gate) - keys("verdict") == {"verdict", "first_decided_at"}
    (tmp_path / "pairs.jsonl").write_bytes(line("a", chat("Same."), chat("Same.")))
    [score, *_] = await printed("score", str(tmp_path / "pairs.jsonl"), "--explain", *file)
    assert score.keys() | {"preference", "correctness", "spans"} == keys("score")
