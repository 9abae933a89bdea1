"""A request body for aiohttp that records when its last byte was sent."""

from __future__ import annotations

import time

import aiohttp
from aiohttp.abc import AbstractStreamWriter


class TimedBody(aiohttp.BytesPayload):
    """The bytes of a request. ``sent_at``: the monotonic time (s) at which the last byte was sent; None until then."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.sent_at: float | None = None

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Write the body as aiohttp requires, wait until the connection has accepted it, and record the time."""
        await super().write_with_length(writer, content_length)
        self.sent_at = time.monotonic()
