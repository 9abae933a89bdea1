"""`glidepath cost` against a real Redis whose history the recorder wrote."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from glidepath.clock import unix_ms
from glidepath.config import load_config
from glidepath.errors import InputError, UnknownWorkloadError
from glidepath.history import LEVELS
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.pricing.money_summary import RATE_MS
from glidepath.redis_keys import WorkloadKeys
from glidepath.sides import Origin, Side
from glidepath.token_usage import TokenUsage
from glidepath_ops.report.document import Chart
from glidepath_ops.report.finance_chapter import finance
from glidepath_ops.report.gather_report_facts import gather_facts
from scorer.steering.leader.history_recorder import HistoryRecorder, RampPosition
from scorer.steering.store_protocol import News
from tests.support.commands import run_cli
from tests.support.report_example import report_config

LIVE = SideOutcomes(
    Side.BASELINE, Origin.LIVE, 10, usage=(TokenUsage(4_000, 1_000, cached_read=2_000, answers=5),), sent_bytes=20_000
)
HALF_HOUR_MS = 1_800_000


@pytest.fixture
def file(tmp_path: Path, redis_url: str) -> Path:
    path = tmp_path / "glidepath.yaml"
    path.write_text(report_config(redis_url))
    return path


async def record(redis: Any, periods: int = 3, workload: str = "chat") -> None:
    """Record periods of ten seconds with ten requests at the baseline and ten copies at the candidate, ending now."""
    recorder, begin = HistoryRecorder(redis, CollectorRegistry()), unix_ms() - periods * 10_000
    copies = replace(LIVE, side=Side.CANDIDATE, origin=Origin.SHADOW)
    for number in range(periods + 1):
        news = News(outcomes=(Outcomes(workload, "e", number, 0, 1, (LIVE, copies), {"pinned_store": 2}),))
        recorder.note(workload, news, RampPosition(begin + number * 10_000, 1.0, "baking"))
        await recorder.write(workload)


async def cost(file: Path, *arguments: str) -> dict[str, Any]:
    out = await asyncio.to_thread(run_cli, "cost", "-c", str(file), "--json", *arguments)
    found: dict[str, Any] = json.loads(out)
    return found


async def test_the_cost_of_recorded_tokens_equals_the_hand_computed_one(file: Path, redis_client: Any) -> None:
    """A request costs (2,000 · 2.5 + 2,000 · 1.25 + 1,000 · 10) / 1e6 / 5 = 0.0035; a period has 10 + 2 requests."""
    await record(redis_client)
    found = await cost(file, "-w", "chat")
    assert (found["currency"], found["migration"]) == ("EUR", "60000.000000")
    [chat] = found["workloads"]
    assert chat["requests"] == {"baseline": 36, "candidate": 0}
    assert Decimal(chat["baseline"]) == 36 * Decimal("0.0035")
    assert chat["copies"]["candidate"] == "0.000000"
    hours = Decimal(30) / 3600
    assert Decimal(chat["candidate_fixed"]) == round(hours * (Decimal("8.8") + Decimal(2500) / 730), 6)
    assert Decimal(chat["saved"]) < 0
    assert (chat["unpriced_share"], chat["measured_share"]) == (0.0, pytest.approx(30 / 66))
    assert Decimal(found["payback"]["expected"]["net"]) == Decimal(chat["saved"]) - 60_000


async def test_a_workload_bears_the_same_part_of_shared_gpus_whether_it_is_asked_for_alone(
    file: Path, redis_client: Any
) -> None:
    await record(redis_client)
    await record(redis_client, workload="batch")
    both, alone = await cost(file), await cost(file, "-w", "chat")
    [chat] = [one for one in both["workloads"] if one["workload"] == "chat"]
    assert [one["workload"] for one in both["workloads"]] == ["chat", "batch"]
    assert alone["workloads"] == [chat]
    hours = Decimal(30) / 3600
    assert Decimal(chat["candidate_fixed"]) == round(hours * (Decimal("8.8") + Decimal(2500) / 730) / 2, 6)


async def test_the_picture_of_the_savings_ends_at_the_amount_of_the_table(file: Path, redis_client: Any) -> None:
    """In this history, a period is missing. During it, GPUs cost as much as before."""
    await record(redis_client)
    periods = WorkloadKeys("chat").history(LEVELS[0].name)
    [_, (missing, _), _] = await redis_client.xrange(periods)
    await redis_client.xdel(periods, missing)
    await record(redis_client, workload="batch")
    config = load_config(file)
    facts = await gather_facts(config, redis_client, ["chat"], unix_ms())
    [pictures] = [
        [block for block in section.blocks if isinstance(block, Chart)]
        for section in finance(facts).sections
        if section.title.startswith("chat:")
    ]
    saved = facts.money.workloads[0].costs.saved
    assert saved is not None
    assert pictures[0].series[0].values[-1] == pytest.approx(float(saved))


async def test_the_text_says_what_the_amounts_are_from(file: Path, redis_client: Any) -> None:
    await record(redis_client)
    text = await asyncio.to_thread(run_cli, "cost", "-c", str(file))
    assert "baseline: tokens known for 15 of 36 requests, all stated by the backend" in text
    assert "no low and high: needs 2 whole days (UTC) of traffic" in text
    assert "batch" not in text  # it has no history


def take_the_candidates_price_away(file: Path) -> None:
    found = yaml.safe_load(file.read_text())
    found["backends"]["onprem"]["price"] = {"egress": 0.1}
    file.write_text(yaml.safe_dump(found))


async def test_a_side_without_a_price_is_named_and_nothing_is_said_to_be_saved(file: Path, redis_client: Any) -> None:
    take_the_candidates_price_away(file)
    await record(redis_client)
    text = await asyncio.to_thread(run_cli, "cost", "-c", str(file), "-w", "chat")
    assert "no price for the candidate: set backends.NAME.price" in text
    assert re.search(r"spent +at least [0-9.]+", text)
    assert (await cost(file))["saved"] is None


async def test_since_leaves_out_what_was_before(file: Path, redis_client: Any) -> None:
    await record(redis_client)
    assert await cost(file, "--since", "1h") != await cost(file, "--since", "15s")


async def test_without_a_history_this_is_said(file: Path, redis_client: Any) -> None:
    assert "no history yet" in await asyncio.to_thread(run_cli, "cost", "-c", str(file))
    found = await cost(file)
    assert (found["workloads"], found["monthly"], found["saved"]) == ([], {}, None)


async def test_the_run_rate_is_that_of_the_last_week(file: Path, redis_client: Any) -> None:
    """Two weeks ago, the traffic was ten times as high as in the last week."""
    recorder, now = HistoryRecorder(redis_client, CollectorRegistry()), unix_ms()
    times = range(now - 2 * RATE_MS, now + HALF_HOUR_MS, HALF_HOUR_MS)
    for at in times:
        many = 10 if at < now - RATE_MS else 1
        live = replace(LIVE, requests=10 * many, usage=(TokenUsage(2_000 * many, answers=10 * many),))
        recorder.note(
            "chat", News(outcomes=(Outcomes("chat", "e", 1, 0, 1, (live,)),)), RampPosition(at, 1.0, "baking")
        )
        await recorder.write("chat")
    [chat] = (await cost(file))["workloads"]
    without = Decimal(chat["monthly"]["expected"]["without"])
    hourly = 20 * Decimal("0.0005")  # 20 requests an hour of 200 input tokens at 2.50
    assert abs(without - 730 * hourly) < Decimal("0.1")
    assert chat["monthly"]["low"] != chat["monthly"]["high"]


def test_wrong_arguments_are_named(file: Path) -> None:
    with pytest.raises(InputError, match="--since: must be a duration"):
        run_cli("cost", "-c", str(file), "--since", "soon")
    with pytest.raises(UnknownWorkloadError, match="unknown workload 'chatt'"):
        run_cli("cost", "-c", str(file), "-w", "chatt")
