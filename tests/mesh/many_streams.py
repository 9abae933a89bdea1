"""Two thousand answers that are open at the same time, within the limits of the user's own route."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import aiohttp

from tests.mesh.traffic import PATH, Caller

STREAMS = 2000
HOLD_S = 10.0  # how long each answer waits, so that all are open at the same time


async def statuses_of_many(caller: Caller) -> Counter[int]:
    """Send all requests at once, and return how often each status came back; 0: a broken connection."""
    body = json.dumps({"model": "m", "messages": []})
    headers = {"content-type": "application/json", **caller.headers}
    connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def one() -> int:
            try:
                async with session.post(caller.url + PATH, data=body, headers=headers) as response:
                    await response.read()
                    return response.status
            except aiohttp.ClientError:
                return 0

        return Counter(await asyncio.gather(*(one() for _ in range(STREAMS))))
