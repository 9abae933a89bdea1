"""Simulates the demo's clients: many users who ask for plain and streamed answers, and check every answer.

They send requests at random times that do not depend on the answers (an open loop).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp

from glidepath.timed_wait import wait_until_set
from glidepath_ops.demo.openai_api import Read, read_json, read_stream

USERS = 5000  # enough users that the share of users on the candidate is close to the share of a step
RECENT = 400  # number of latest answers from which the displayed latency is computed


@dataclass(frozen=True, slots=True)
class Profile:
    """The load of the demo's clients: on average ``rate`` requests per second, with random (Poisson) arrivals.

    At most ``max_in_flight`` requests are in flight at the same time. A request beyond this limit is not sent.
    ``stream_share`` is the part of the requests that ask for a streamed answer. ``timeout`` is in seconds.
    """

    rate: float
    prompts: Sequence[str]
    stream_share: float = 0.5
    max_in_flight: int = 256
    timeout: float = 30.0
    max_tokens: int = 256


@dataclass(slots=True)
class ClientStats:
    """The results that the clients observed.

    ``skipped``: requests that were not sent because too many were in flight.
    ``errors_before_fault``: the errors before the fault was injected into the candidate; None until then.
    """

    requests: int = 0
    answered: int = 0
    errors: int = 0
    skipped: int = 0
    errors_before_fault: int | None = None
    error_kinds: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)  # answers by model
    recent_ms: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))

    def p50_ms(self) -> float | None:
        values = sorted(self.recent_ms)
        return values[len(values) // 2] if values else None

    def record(self, read: Read, elapsed_ms: float) -> None:
        self.answered += 1
        if read.problem:
            self.errors += 1
            self.error_kinds[read.problem] += 1
            return
        self.models[read.model] += 1
        self.recent_ms.append(elapsed_ms)


class Clients:
    """All clients of the demo. ``run`` sends requests until ``stop`` is set, then waits for the requests in flight."""

    def __init__(self, url: str, profile: Profile, rng: random.Random) -> None:
        self.url, self.profile, self.rng = f"{url}/v1/chat/completions", profile, rng
        self.stats = ClientStats()
        self.in_flight = 0

    async def run(self, stop: asyncio.Event) -> None:
        timeout = aiohttp.ClientTimeout(total=self.profile.timeout)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session, asyncio.TaskGroup() as group:
            due = asyncio.get_running_loop().time()
            while not stop.is_set():
                due += self.rng.expovariate(self.profile.rate)
                await _sleep_until(due, stop)
                if stop.is_set():
                    return
                if self.in_flight >= self.profile.max_in_flight:
                    self.stats.skipped += 1
                    continue
                self.in_flight += 1
                self.stats.requests += 1
                group.create_task(self._one(session))

    async def _one(self, session: aiohttp.ClientSession) -> None:
        started = time.perf_counter()
        stream = self.rng.random() < self.profile.stream_share
        headers = {"x-user-id": f"user-{self.rng.randrange(USERS):04d}", "Authorization": "Bearer demo-client"}
        try:
            async with session.post(self.url, json=self._body(stream), headers=headers) as response:
                body = await response.read()
                read = _check(response.status, stream, body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            read = Read(problem=type(error).__name__)
        finally:
            self.in_flight -= 1
        self.stats.record(read, (time.perf_counter() - started) * 1000)

    def _body(self, stream: bool) -> dict[str, object]:
        prompt = self.rng.choice(self.profile.prompts)
        body: dict[str, object] = {
            "model": "gpt-demo",
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": self.profile.max_tokens,
            "temperature": 0,
        }
        return body | {"stream": True, "stream_options": {"include_usage": True}} if stream else body


def _check(status: int, stream: bool, body: bytes) -> Read:
    if status != 200:
        return Read(problem=f"status {status}")
    return read_stream(body) if stream else read_json(body)


async def _sleep_until(due: float, stop: asyncio.Event) -> None:
    delay = due - asyncio.get_running_loop().time()
    if delay <= 0:
        await asyncio.sleep(0)
        return
    await wait_until_set(stop, delay)
