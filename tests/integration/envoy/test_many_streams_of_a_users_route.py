"""Two thousand answers at a time: at a share of 0, the user's own cluster serves them within its own limits."""

from __future__ import annotations

import asyncio
import json
import resource
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
import yaml

from tests.support.envoy_with_backends import PATH
from tests.support.users_envoy import UsersSetup, users_setup, users_table

STREAMS = 2000
LIMITS = {"thresholds": [{"max_connections": 4000, "max_pending_requests": 4000, "max_requests": 4000}]}
CONNECTS = "60s"  # on a busy machine the backend, which is in this process, accepts the last connections late
HOLD_S = 8.0  # how long each answer waits, so that all of them are open at the same time


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """Raise the limit of this process's open files: it holds the sockets of all clients and of the backend."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 3 * STREAMS:
        pytest.skip(f"this user may open only {hard} files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * STREAMS)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def with_limits(text: str) -> str:
    """Return the user's bootstrap with circuit breakers of the cluster ``theirs`` that let 4,000 requests pass."""
    bootstrap = yaml.safe_load(text)
    for cluster in bootstrap["static_resources"]["clusters"]:
        if cluster["name"] == "theirs":
            cluster["circuit_breakers"], cluster["connect_timeout"] = LIMITS, CONNECTS
    return yaml.safe_dump(bootstrap, sort_keys=False)


async def test_at_a_share_of_0_two_thousand_open_answers_are_served_as_before(tmp_path: Path) -> None:
    async with users_setup(tmp_path, users_table()) as plain:
        setup = replace(plain, text=with_limits(plain.text))
        setup.theirs.delay = HOLD_S
        with setup.before():
            assert await statuses(setup) == Counter({200: STREAMS})
        setup.clear_received()
        with setup.after() as envoy:
            setup.set_share(envoy, 0)
            assert await statuses(setup) == Counter({200: STREAMS})
            assert envoy.stats(r"cluster\.theirs\.upstream_rq_total")["cluster.theirs.upstream_rq_total"] == STREAMS
        assert (len(setup.theirs.received), setup.onprem.received) == (STREAMS, [])


async def statuses(setup: UsersSetup) -> Counter[int]:
    """Send all requests at once, and return how often each status came back."""
    body = json.dumps({"model": "m", "messages": []})
    headers = {"content-type": "application/json"}
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=90)

    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def one() -> int:
            async with session.post(setup.live + PATH, data=body, headers=headers) as response:
                await response.read()
                return response.status

        return Counter(await asyncio.gather(*(one() for _ in range(STREAMS))))
