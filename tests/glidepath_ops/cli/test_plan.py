"""Tests of `glidepath plan`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from glidepath.errors import InputError
from tests.support.chat_config import CHAT_CONFIG
from tests.support.commands import run_cli


@pytest.mark.slow
def test_plan_shows_one_line_per_step(config: Path) -> None:
    text = run_cli("plan", "-c", str(config), "--rate", "chat=50")
    assert "chat: 50 requests/s" in text
    assert [line.split("  ")[1] for line in text.splitlines()[2:]][:3] == ["shadow", "1 %", "5 %"]


@pytest.mark.slow
def test_plan_shows_the_rules_of_each_step(config: Path) -> None:
    config.write_text(CHAT_CONFIG + "    ramp: {steps: [5, 50, 100], at: {50: {hold: 7d, min_samples: 5000}}}\n")
    head, *rows = run_cli("plan", "-c", str(config)).splitlines()[1:6]
    place = head.index("hold")
    assert [row[place:].split()[:3] for row in rows] == [
        ["2", "d", "200"],
        ["2", "d", "200"],
        ["7", "d", "5000"],
        ["–", "200", "–"],
    ]


@pytest.mark.slow
def test_plan_as_json(config: Path) -> None:
    found = json.loads(run_cli("plan", "-c", str(config), "--rate", "chat=50", "--json"))
    assert found["workloads"][0]["steps"][0]["percent"] == 0


@pytest.mark.parametrize("rate", ["chat", "chat=", "chat=-1", "chat=0", "chat=nan", "chat=inf", "chat=1e-300"])
def test_plan_refuses_an_invalid_rate(config: Path, rate: str) -> None:
    with pytest.raises(InputError, match="REQUESTS_PER_SECOND"):
        run_cli("plan", "-c", str(config), "--rate", rate)


def test_plan_refuses_two_rates_for_one_workload(config: Path) -> None:
    with pytest.raises(InputError, match="--rate chat=2: chat is given twice"):
        run_cli("plan", "-c", str(config), "--rate", "chat=1", "--rate", "chat=2")
