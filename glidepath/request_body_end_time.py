"""A request body for aiohttp that knows when its last byte was sent."""

from __future__ import annotations

import time

import aiohttp
from aiohttp.abc import AbstractStreamWriter


class TimedBody(aiohttp.BytesPayload):
    """The bytes of a request. ``sent_at``: the monotonic time in seconds at which all were sent; None before that."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.sent_at: float | None = None

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Write the body as aiohttp asks for it, wait until the connection has taken it, and note the time."""
        await super().write_with_length(writer, content_length)
        self.sent_at = time.monotonic()
