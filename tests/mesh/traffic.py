"""Requests of clients through a mesh's Envoy, counted by status and by the backend that answered."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.support.recording_backend import Recorder

PATH = "/v1/chat/completions"
Seen = Counter[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Caller:
    """One client. ``headers`` are sent with each of its requests."""

    session: aiohttp.ClientSession
    url: str
    headers: Mapping[str, str]

    async def ask(self, count: int = 1, *, method: str = "POST", path: str = PATH, size: int = 20) -> Seen:
        """Send ``count`` requests, one after another, each with a user of its own. ``size``: bytes of the prompt."""
        seen: Seen = Counter()
        for number in range(count):
            seen[await self._once(method, path, number, size)] += 1
        return seen

    async def ask_for(self, seconds: float, pause: float = 0.01) -> Seen:
        seen: Seen = Counter()
        end, number = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            seen[await self._once("POST", PATH, number, 20)] += 1
            number += 1
            await asyncio.sleep(pause)
        return seen

    async def ask_until(self, end: asyncio.Event, pause: float = 0.01) -> Seen:
        """Send requests until ``end`` is set."""
        seen: Seen = Counter()
        while not end.is_set():
            seen[await self._once("POST", PATH, seen.total(), 20)] += 1
            await asyncio.sleep(pause)
        return seen

    async def served(self, body: Mapping[str, Any], path: str = PATH) -> str:
        """Send one request with this body. Return the backend that answered with 200."""
        headers = {"content-type": "application/json", **self.headers}
        async with self.session.post(self.url + path, data=json.dumps(body), headers=headers) as response:
            content = await response.read()
            assert response.status == 200, content
            return _who(content)

    async def answer(self, method: str = "POST", path: str = PATH) -> dict[str, str]:
        """Send one request. Return the headers of its answer, in lower case, with the status as ``:status``."""
        async with self.session.request(method, self.url + path, **self._request(method, 0, 20)) as response:
            await response.read()
            return {
                ":status": str(response.status),
                **{name.lower(): value for name, value in response.headers.items()},
            }

    async def _once(self, method: str, path: str, number: int, size: int) -> tuple[int, str]:
        try:
            async with self.session.request(method, self.url + path, **self._request(method, number, size)) as response:
                return response.status, _who(await response.read())
        except aiohttp.ClientError as error:
            return 0, type(error).__name__

    def _request(self, method: str, number: int, size: int) -> dict[str, Any]:
        headers = {"x-user-id": f"user-{number}", "authorization": "Bearer of-the-client", **self.headers}
        if method != "POST":
            return {"headers": headers}
        body = {"model": "client-model", "messages": [{"role": "user", "content": "x" * size}]}
        return {"headers": {**headers, "content-type": "application/json"}, "data": json.dumps(body)}


def _who(body: bytes) -> str:
    try:
        answer: Any = json.loads(body)
    except ValueError:
        return ""
    return str(answer.get("model", "")) if isinstance(answer, dict) else ""


def statuses(seen: Seen) -> set[int]:
    return {status for status, _ in seen}


def backends(seen: Seen) -> Counter[str]:
    found: Counter[str] = Counter()
    for (_, who), count in seen.items():
        found[who] += count
    return found


def without_volatile(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a received request without those whose value differs from request to request."""
    volatile = ("x-request-id", "x-user-id", "traceparent", "tracestate", "x-b3-traceid", "x-b3-spanid")
    return {name: value for name, value in headers.items() if name not in volatile}


def prompt_size(recorder: Recorder) -> int:
    """Return the bytes of the prompt in the last request to the backend."""
    return len(json.loads(recorder.last.body)["messages"][0]["content"])


def credentials_at(recorder: Recorder) -> set[str]:
    return {one.headers.get("authorization", "") for one in recorder.received}
