"""A steering store that holds nothing and accepts every write."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from scorer.steering.store_protocol import News, OldCommands, Record


class EmptySteeringStore:
    async def load(self, workload: str) -> None:
        return None

    async def set_aside(self, workload: str, now_ms: int) -> OldCommands:
        return OldCommands()

    async def clocks_ms(self, workloads: Any) -> Mapping[str, int]:
        return {}

    async def news(self, cursors: Any, block_ms: int) -> Mapping[str, News]:
        await asyncio.sleep(0)
        return {}

    async def write(self, fence: int, records: Mapping[str, Record]) -> Mapping[str, Exception]:
        return {}
