"""Fixtures of several tests of extproc."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis.asyncio


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Any]:
    made = redis.asyncio.from_url(redis_url)
    yield made
    await made.aclose()
