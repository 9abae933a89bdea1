"""The page of a workload over time, with periods in a real Redis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from glidepath.clock import unix_ms
from glidepath.history import LEVELS, PeriodTotals, SideTotals, encode_point, point_of
from glidepath.redis_keys import WorkloadKeys
from tests.support.console_client import console_client, console_config
from tests.support.console_data import decision, store_decisions

API, PAGE = "/api/workloads/chat/history", "/workloads/chat/history"


async def store_periods(redis: Any, count: int, level: int = 0) -> None:
    now, length = unix_ms(), LEVELS[level].seconds * 1000
    for number in range(count, 0, -1):
        at = LEVELS[level].start_of(now) - number * length
        totals = PeriodTotals(SideTotals(requests=90), SideTotals(requests=10), percent=10.0, phase="baking")
        point = encode_point(point_of(totals, at, LEVELS[level].seconds))
        await redis.xadd(WorkloadKeys("chat").history(LEVELS[level].name), {"h": point}, id=f"{at}-0")


async def test_the_api_has_columns_and_decisions_of_the_range(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    await store_periods(redis_client, 30)
    await store_periods(redis_client, 3, level=2)
    await store_decisions(redis_client, decision("promote", unix_ms(), from_percent=5.0, to_percent=10.0))
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        hour = (await client.get(API)).json()
        assert (len(hour["series"]["t"]), hour["period_s"]) == (30, 10)
        assert hour["series"]["seen"][0] == 10.0
        assert [mark["tone"] for mark in hour["marks"]] == ["step"]
        assert len((await client.get(API, params={"range": "90d"})).json()["series"]["t"]) == 3
        assert (await client.get(API, params={"range": "1y"})).status_code == 400


async def test_the_page_has_the_numbers_as_a_table(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    await store_periods(redis_client, 5)
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        text = (await client.get(PAGE)).text
        assert text.count("90 / 10") == 5
        assert 'data-chart="latency"' in text


async def test_without_a_history_and_with_a_damaged_one_the_page_says_so(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    await redis_client.xadd(WorkloadKeys("chat").history("10s"), {"h": "<script>"}, id=f"{unix_ms() - 1000}-0")
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        assert "No history yet" in (await client.get(PAGE)).text
