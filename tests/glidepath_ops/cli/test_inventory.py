from __future__ import annotations

import asyncio
import io
import json
import shutil
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from bench.inventory import compared, store_month
from bench.traffic_of_a_month import WORKLOADS, line, month
from glidepath.clock import unix_ms
from glidepath.config import load_config
from glidepath.errors import InputError
from glidepath_ops.cli.delayed_progress_bar import delayed_progress_bar
from tests.support.commands import run_cli

REQUESTS = 7200  # ten an hour
MONTH_MS = 30 * 86_400_000


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The access log of a month with few requests."""
    path = tmp_path / "access.jsonl"
    begin = unix_ms() - MONTH_MS
    path.write_bytes(b"".join(line(request, begin) for request in month(REQUESTS)))
    return path


@pytest.mark.slow
def test_a_month_of_log_lines_is_named_and_adds_up(log: Path, tmp_path: Path) -> None:
    text = run_cli("inventory", "--from", str(log), "--caller", "x-team", "--since", "40d", "--json")
    named, worst = compared(json.loads(text), REQUESTS)
    assert (named, worst) == (len(WORKLOADS), 0)
    shown = run_cli("inventory", "--from", str(log), "--caller", "x-team", "--since", "40d", "--no-tools")
    assert max(map(len, shown.splitlines())) <= 80
    assert "0% can move (100% have tools)" in shown
    folder = tmp_path / "sections"  # it is created
    run_cli("inventory", "--from", str(log), "--caller", "x-team", "--since", "40d", "--sections", str(folder))
    assert len(load_config(folder).workloads) == len(WORKLOADS)


def test_sections_are_valid_beside_the_configuration_whose_backends_they_name(log: Path, tmp_path: Path) -> None:
    file, folder = tmp_path / "glidepath.yaml", tmp_path / "sections"
    file.write_text("backends: {cloud: {url: 'http://a.test'}}\ninventory: {callers: [x-team]}\n")
    said = run_cli("inventory", "-c", str(file), "--from", str(log), "--since", "40d", "--sections", str(folder))
    assert f"put {file}, which has the backends, there too" in said
    shutil.copy(file, folder)
    assert len(load_config(folder).workloads) == len(WORKLOADS)


async def test_a_month_of_counts_in_redis_adds_up(redis_client: object, redis_url: str, tmp_path: Path) -> None:
    await store_month(redis_client, REQUESTS, unix_ms())
    file = tmp_path / "glidepath.yaml"
    file.write_text(yaml.safe_dump({"redis": {"url": redis_url}, "inventory": {}}))
    text = await asyncio.to_thread(run_cli, "inventory", "-c", str(file), "--since", "40d", "--json")
    named, worst = compared(json.loads(text), REQUESTS)
    assert (named, worst) == (len(WORKLOADS), 0)


def test_the_limits_of_a_candidate_are_those_of_its_section_and_of_the_options(log: Path, tmp_path: Path) -> None:
    file = tmp_path / "glidepath.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "inventory": {"callers": "x-team"},
                "backends": {"cloud": {"url": "http://c"}, "onprem": {"url": "http://o", "context": 2000}},
            }
        )
    )
    asked = ("inventory", "-c", str(file), "--from", str(log), "--caller", "x-team", "--since", "40d", "--json")

    def share(*options: str) -> dict[str, float]:
        found = json.loads(run_cli(*asked, *options))["workloads"]
        return {one["name"]: one["eligible_share"] for one in found}

    name = "staff-messages-claude-sonnet"  # 5,900 tokens
    assert share()[name] == 1
    assert share("--candidate", "onprem")[name] == 0
    assert share("--candidate", "onprem", "--context", "10000")[name] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--candidate", "onprm"), "--candidate: .*did you mean 'onprem'"),
        (("--baseline", "onprm"), "--baseline: .*did you mean 'onprem'"),
        (("--candidate", "onprem", "--baseline", "onprem"), "the same backend as the baseline"),
        (("--modalities", "text,smell"), "unknown 'smell'"),
        (("--max-body", "4"), "a number needs its unit"),
        (("--since", "5"), "--since"),
        (("--section", "chatt"), "no workload 'chatt' was found"),
        (("--sections", "/dev/null/x"), "--sections: /dev/null/x: cannot be created: Not a directory"),
        (("--since", "1s"), "no line since the given time"),
    ],
)
def test_bad_options_are_named(log: Path, config: Path, options: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run_cli("inventory", "-c", str(config), "--from", str(log), *options)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--from: .*none: No such file"):
        run_cli("inventory", "--from", str(tmp_path / "none"))


def test_refusals_are_shown_and_a_log_of_a_few_seconds_gives_no_figures_for_a_month(tmp_path: Path) -> None:
    entry = {"path": "/v1/chat/completions", "time": 1_790_000_000, "status": 429}
    path = tmp_path / "access.jsonl"
    path.write_text("".join(f"{json.dumps(entry | one)}\n" for one in ({}, {"time": 1_790_000_020, "status": 200})))
    shown = run_cli("inventory", "--from", str(path))
    assert "2 requests; 0.00% failed; 50.00% refused (4xx); 0% streamed" in shown
    assert "too short for figures for a month" in " ".join(shown.split())
    assert "a month;" not in shown
    assert json.loads(run_cli("inventory", "--from", str(path), "--json"))["workloads"][0]["requests_a_month"] is None


def test_an_empty_log_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(InputError, match=r"--from: .*empty: is empty"):
        run_cli("inventory", "--from", str(tmp_path / "empty"))


def test_an_inventory_that_is_not_configured_is_named_with_its_remedy(file: Path) -> None:
    with pytest.raises(InputError, match=r"add `inventory: \{\}`"):
        run_cli("inventory", "-c", str(file))


def test_progress_is_shown_after_two_seconds_and_only_on_a_terminal() -> None:
    def shown(*, terminal: bool, seconds: float) -> str:
        screen, now = io.StringIO(), [0.0]
        console = Console(file=screen, force_terminal=terminal, width=60)
        with delayed_progress_bar("reading", 10, console, lambda: now[0]) as advance:
            advance(1)
            now[0] = seconds
            advance(1)
        return screen.getvalue()

    assert "reading" in shown(terminal=True, seconds=3)
    assert shown(terminal=True, seconds=1) == ""
    assert shown(terminal=False, seconds=3) == ""
