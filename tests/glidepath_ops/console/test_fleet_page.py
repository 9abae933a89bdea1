"""The page of the fleet: its table, the persons who see buttons, and the headers of every answer."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glidepath_ops.console.access import COOKIE
from glidepath_ops.console.fleet_rows import FleetRow, fleet_rows
from glidepath_ops.console.live_updates import LiveViews
from glidepath_ops.read_fleet_status import FleetReading
from tests.support.console_client import TOKEN, console_client, console_config
from tests.support.console_data import VERDICTS, status, store_status
from tests.support.lost_cancellation import SwallowsCancellation
from tests.support.waiting import eventually

BEARER = {"authorization": f"Bearer {TOKEN}"}


async def test_the_fleet_shows_each_workload(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    await store_status(redis_client, status())
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        text = (await client.get("/")).text
    for part in (
        "baking",
        "10 %",
        "10.0 %",
        "2 of 2 Envoys",
        "to 25 %: waits for latency_p99",
        "8,000 → 6,000 → 5,120",
    ):
        assert part in text
    assert "<button" not in text  # nobody may act without a token


def row_of(**changes: Any) -> FleetRow:
    return fleet_rows(FleetReading(statuses={"chat": status(**changes)}), {}, time.time())[0]


def test_the_next_step_waits_for_the_slowest_gate_and_the_least_time() -> None:
    slow = VERDICTS[1]
    assert row_of(verdicts=(slow, replace(slow, eta_s=60.0))).next_in == "in about 14 h"
    assert row_of(verdicts=(replace(slow, eta_s=5.0),)).next_in == "in about a minute"
    later = round(time.time() * 1000) + 3 * 86_400_000
    assert row_of(verdicts=(slow,), bake_until_ms=later).next_in.startswith("in about 3 d")
    assert row_of(verdicts=(slow, replace(slow, eta_s=None))).next_in == ""  # one gate has no data
    assert row_of(verdicts=(replace(slow, guard=True),)).next_in == ""
    assert row_of(verdicts=(slow,), phase="held").next_in == ""
    assert row_of(verdicts=(slow, replace(slow, outcome="fail"))).next_in == ""


def test_a_gate_that_informs_is_shown_only_if_it_fails() -> None:
    informs = replace(VERDICTS[1], gate="split", action="inform")
    assert [mark.name for mark in row_of(verdicts=(VERDICTS[0], informs)).gates] == ["errors"]
    assert [mark.name for mark in row_of(verdicts=(replace(informs, outcome="fail"),)).gates] == ["split"]


@pytest.mark.parametrize("percent", [0.0, 1.0, 100.0])
async def test_the_share_that_the_page_shows_as_seen_excludes_copies(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any, percent: float
) -> None:
    await store_status(redis_client, status(percent=percent, phase="baking" if percent == 100 else "shadow"))
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        assert f"<strong>{percent:g} %</strong> / –" in (await client.get("/")).text
        state = (await client.get("/workloads/chat")).text
    assert "% seen" not in state
    assert ("Candidate, copies" in state, "Baseline, copies" in state) == (percent < 100, percent == 100)


async def test_a_workloads_page_says_in_what_clients_notice_the_candidate(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    counts = {"contract_usage compared": 9, "contract_usage different": 2}
    await store_status(redis_client, status(contract=counts))
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        assert "the number of tokens differs in 2 of 9 pairs" in (await client.get("/workloads/chat")).text


async def test_a_workload_without_a_scorer_says_so(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        assert "no scorer has steered it yet" in (await client.get("/")).text


async def test_an_old_status_is_marked(tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any) -> None:
    await store_status(redis_client, status(updated_at_ms=status().updated_at_ms - 300_000))
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        assert "not updated for 5 min: is a scorer running?" in (await client.get("/")).text


async def test_the_api_has_the_records_of_the_command(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    await store_status(redis_client, status())
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        found = (await client.get("/api/status")).json()
    assert found["chat"]["percent"] == 10.0
    assert found["chat"]["verdicts"][0]["gate"] == "errors"


async def test_with_a_token_only_its_bearer_reads(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    config = console_config(tmp_path, valid_yaml, redis_url, "{{token: {{file: {token}}}}}")
    async with console_client(config, redis_client) as (client, _):
        assert (await client.get("/")).headers["location"].startswith("/login")
        assert (await client.get("/api/status")).status_code == 401
        assert (await client.get("/api/status", headers={"authorization": "Bearer wrong"})).status_code == 401
        assert (await client.get("/api/status", headers=BEARER)).status_code == 200


async def test_who_logs_in_sees_buttons(tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any) -> None:
    await store_status(redis_client, status())
    config = console_config(tmp_path, valid_yaml, redis_url, "{{token: {{file: {token}}}}}")
    async with console_client(config, redis_client) as (client, _):
        wrong = await client.post("/login", data={"name": "Ana", "token": "wrong", "next": "/"})
        assert (wrong.status_code, COOKIE in client.cookies) == (403, False)
        nameless = await client.post("/login", data={"name": "<b>", "token": TOKEN})
        assert (nameless.status_code, COOKIE in client.cookies) == (400, False)
        right = await client.post("/login", data={"name": "Ana", "token": TOKEN, "next": "//evil.example"})
        assert (right.status_code, right.headers["location"]) == (303, "/")
        cookie = right.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        text = (await client.get("/")).text
        assert "Ana" in text
        assert "Roll back" in text


async def test_every_answer_forbids_other_hosts_and_inline_scripts(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        for path in ("/", "/login", "/nowhere", "/api/status", "/static/console.css"):
            policy = (await client.get(path)).headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
        assert (await client.get("/")).headers["cache-control"] == "no-store"


async def test_a_page_of_another_name_is_refused(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (client, _):
        assert (await client.get("/", headers={"host": "rebound.example"})).status_code == 421


async def test_without_redis_the_page_says_so(tmp_path: Path, valid_yaml: str) -> None:
    from glidepath.redisio import connect

    config = console_config(tmp_path, valid_yaml, "redis://127.0.0.1:1/0")
    redis = connect(config.redis)
    async with console_client(config, redis) as (client, _):
        answer = await client.get("/")
        assert (answer.status_code, "Redis does not answer" in answer.text) == (503, True)
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get("/healthz")).status_code == 200
    await redis.aclose()


async def test_open_pages_get_a_change_once(tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any) -> None:
    await store_status(redis_client, status())
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (_, console):
        rendered = 0

        async def render() -> str:
            nonlocal rendered
            rendered += 1
            return str(json.loads(await redis_client.get("glidepath:{chat}:status"))["percent"])

        pages = [console.live.subscribe("one", render) for _ in range(50)]

        async def first_event(page: Any) -> str:
            async for data in page:
                if data.startswith(b"data: "):
                    return str(data.decode())
            return ""

        found = await asyncio.wait_for(asyncio.gather(*(first_event(page) for page in pages)), 10)
        assert set(found) == {"data: 10.0\n\n"}
        assert rendered < 50
        for page in pages:
            await page.aclose()
        assert console.live.pages == 0


async def test_open_pages_get_the_reason_for_an_old_state_and_a_message_when_it_is_new_again(
    tmp_path: Path, valid_yaml: str, redis_url: str, redis_client: Any
) -> None:
    async with console_client(console_config(tmp_path, valid_yaml, redis_url), redis_client) as (_, console):
        failing = True

        async def render() -> str:
            if failing:
                raise ConnectionError("no route to Redis")
            return "the state"

        page = console.live.subscribe("one", render)
        assert await asyncio.wait_for(anext(page), 10) == b"retry: 2000\n\n"
        trouble = await asyncio.wait_for(anext(page), 10)
        assert trouble == b"event: trouble\ndata: the console cannot read the state: no route to Redis\n\n"
        failing = False
        assert await asyncio.wait_for(anext(page), 10) == b"event: alive\ndata: ok\n\n"
        assert await asyncio.wait_for(anext(page), 10) == b"data: the state\n\n"
        await page.aclose()


async def test_a_view_without_pages_is_read_no_more_although_the_redis_client_loses_the_cancellation() -> None:
    views, call = LiveViews(lambda _: None, every_s=0.001), SwallowsCancellation()

    async def render() -> str:
        await call()
        return "the state"

    others = asyncio.all_tasks()
    page = views.subscribe("one", render)
    assert await asyncio.wait_for(anext(page), 10) == b"retry: 2000\n\n"
    await asyncio.wait_for(call.called.wait(), 10)
    await page.aclose()
    await eventually(lambda: asyncio.all_tasks() == others, within=60)
    assert call.calls == 1
