"""GET /status, which every scorer answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from glidepath.config import Config, parse_config
from glidepath.config.connections import RedisSection
from glidepath.health import serve_app
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient, connect
from glidepath.status_and_decisions import WorkloadStatus, to_json
from glidepath_ops.local.child_process import free_ports
from scorer.status_endpoint import add_status


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    client = connect(RedisSection(url=redis_url))
    yield client
    await client.aclose()


async def ask(config: Config, client: RedisClient, query: str = "", method: str = "GET") -> tuple[int, str]:
    app, address = web.Application(), f"127.0.0.1:{free_ports(1)[0]}"
    add_status(app, client, config)
    runner = await serve_app(app, address, "a test")
    try:
        async with aiohttp.ClientSession() as http, http.request(method, f"http://{address}/status{query}") as response:
            return response.status, await response.text()
    finally:
        await runner.cleanup()


async def test_the_status_is_what_the_steer_loop_wrote_and_null_before(valid_yaml: str, redis: RedisClient) -> None:
    config = parse_config(valid_yaml)
    assert await ask(config, redis) == (200, '{"chat": null}')
    status = to_json(WorkloadStatus("chat", "baking", 5, 1, (1, 5), 1, 1))
    await redis.set(WorkloadKeys("chat").status, status)
    code, text = await ask(config, redis, "?workload=chat")
    assert (code, '"phase": "baking"' in text) == (200, True)


async def test_an_unknown_workload_is_a_404_with_the_known_ones(valid_yaml: str, redis: RedisClient) -> None:
    code, text = await ask(parse_config(valid_yaml), redis, "?workload=nosuch")
    assert (code, text) == (404, '{"error": "no such workload (known: chat)"}')


async def test_the_route_only_reads(valid_yaml: str, redis: RedisClient) -> None:
    assert (await ask(parse_config(valid_yaml), redis, method="POST"))[0] == 405


async def test_without_redis_or_with_an_invalid_status_the_answer_is_503(valid_yaml: str, redis: RedisClient) -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    away = connect(RedisSection(url=f"redis://{address}/0"))
    status, body = await ask(parse_config(valid_yaml), away)
    assert status == 503
    assert json.loads(body)["error"].startswith(f"Redis: Error 111 connecting to {address}.")
    await away.aclose()
    await redis.set(WorkloadKeys("chat").status, "{")
    assert (await ask(parse_config(valid_yaml), redis))[0] == 503
