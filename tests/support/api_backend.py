"""The base class of test backends for the clients of an API: the start, the count of calls, errors and delays."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self

from aiohttp import web

from glidepath.timed_wait import wait_until_set

SLOW_S = 3.0  # how long the answer to "slow" takes, unless the backend ends before
Refusal = tuple[int, Mapping[str, Any]]


class ApiBackend(ABC):
    """A server on a free loopback port: ``async with Backend() as backend``. ``calls``: the inference calls so far."""

    def __init__(self, refusals: Mapping[str, Refusal], headers: Mapping[str, str]) -> None:
        """Create the server. ``refusals``: text of the last user message → status and body of an error.

        ``headers``: the headers of the error responses.
        """
        self.calls = 0
        self.port = 0
        self._ending = asyncio.Event()
        self._refusals, self._headers = refusals, headers

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @abstractmethod
    def add_routes(self, router: web.UrlDispatcher) -> None: ...

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 2**20)
        self.add_routes(app.router)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ending.set()
        await self._runner.cleanup()

    async def refusal(self, said: str) -> web.Response | None:
        """Return the error for ``said``, the last user message; None if there is none. "slow" causes a delay."""
        if said == "slow":
            await wait_until_set(self._ending, SLOW_S)
        if said not in self._refusals:
            return None
        status, body = self._refusals[said]
        return web.json_response(body, status=status, headers=self._headers)
