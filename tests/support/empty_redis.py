"""A Redis in memory with only the data that a test gives it, for the reads of the console."""

from __future__ import annotations

from typing import Any


class EmptyRedis:
    """Answers the reads of the console. ``streams``: key → entries, the oldest first; ``strings``: key → value."""

    def __init__(self, strings: dict[str, bytes] | None = None, streams: dict[str, list[Any]] | None = None) -> None:
        self.strings, self.streams = strings or {}, streams or {}

    async def get(self, key: str) -> bytes | None:
        return self.strings.get(key)

    async def ping(self) -> bool:
        return True

    async def xlen(self, key: str) -> int:
        return len(self.streams.get(key, ()))

    async def xrange(self, key: str, min: str = "-", max: str = "+", count: int | None = None) -> list[Any]:  # noqa: A002
        return [] if min.startswith("(") else self.streams.get(key, [])[:count]

    async def xrevrange(self, key: str, max: str = "+", count: int | None = None) -> list[Any]:  # noqa: A002
        return [] if max.startswith("(") else self.streams.get(key, [])[::-1][:count]

    async def xread(self, *_: Any, **__: Any) -> list[Any]:
        return []

    async def hget(self, *_: Any) -> None:
        return None

    async def hmget(self, _: str, names: list[Any]) -> list[None]:
        return [None] * len(names)

    async def zrange(self, *_: Any, **__: Any) -> list[Any]:
        return []

    def pipeline(self, **_: Any) -> EmptyRedis:
        self.queued = 0
        return self

    def eval(self, *_: Any) -> None:
        self.queued += 1

    async def execute(self, **_: Any) -> list[Any]:
        return [None] * self.queued
