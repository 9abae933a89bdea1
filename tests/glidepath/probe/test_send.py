"""A probe's pair has the served digest of the shadow listener, and is stored like other pairs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from glidepath import envoy_names
from glidepath.config import parse_config
from glidepath.outcome_summaries import NO_DIGEST, SEVERAL_DIGESTS
from glidepath.probe.prompts import ProbeRequest
from glidepath.probe.send import MAX_DIGEST, Prober, store_pair
from glidepath.redis_keys import WorkloadKeys

REQUEST = ProbeRequest("/v1/chat/completions", b"{}", "Who?")


@asynccontextmanager
async def listener(digests: Mapping[str, str]) -> AsyncIterator[str]:
    """Serve a shadow listener that answers with the digest of each backend, and yield its address."""

    async def answer(request: web.Request) -> web.Response:
        served = digests.get(request.headers[envoy_names.HEADER_TARGET])
        return web.json_response({}, headers={envoy_names.HEADER_SERVED: served} if served else {})

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    async with TestServer(app) as server:
        yield f"{server.host}:{server.port}"


@pytest.mark.parametrize(
    ("digests", "expected"),
    [
        ({"cloud": "abc", "onprem": "abc"}, "abc"),
        ({"cloud": "abc", "onprem": "def"}, SEVERAL_DIGESTS),
        ({"cloud": "abc"}, SEVERAL_DIGESTS),
        ({}, NO_DIGEST),
        ({"cloud": "a" * 1000, "onprem": "a" * 1000}, "a" * MAX_DIGEST),
    ],
)
async def test_the_pair_has_the_digest_of_both_answers(
    valid_yaml: str, digests: Mapping[str, str], expected: str
) -> None:
    config = parse_config(valid_yaml)
    async with listener(digests) as address, Prober(config, address) as prober:
        assert (await prober.probe("chat", REQUEST)).pair.served == expected


async def test_a_stored_pair_delays_the_expiry_of_the_stream(valid_yaml: str, redis_client: Any) -> None:
    config, key = parse_config(valid_yaml), WorkloadKeys("chat").pairs
    await redis_client.xadd(key, {"p": b"older"})
    await redis_client.pexpire(key, 5_000)
    async with listener({}) as address, Prober(config, address) as prober:
        assert await store_pair(redis_client, config, await prober.probe("chat", REQUEST))
    assert await redis_client.xlen(key) == 2
    assert await redis_client.pttl(key) > 1000 * config.retention.age - 10_000
