"""Writing the inventory to Redis: counts that Redis refuses are written later, once."""

from __future__ import annotations

from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from extproc.inventory_observer import InventoryObserver
from extproc.inventory_writer import InventoryWriter
from glidepath.config.inventory import InventorySection
from glidepath.config.urls_and_secrets import Secret
from glidepath.errors import ConfigError
from glidepath.inventory.tally_codec import decode_group
from tests.extproc.test_inventory_observer import entry, tag

NOW = 1_000_000_000_000


class MemoryRedis:
    """A Redis in memory with the commands of the writer. ``fails``: the number of writes that raise an error."""

    def __init__(self, fails: int = 0) -> None:
        self.fails = fails
        self.values: dict[str, Any] = {}
        self.hashes: dict[str, dict[str, Any]] = {}

    async def set(self, name: str, value: bytes, *, nx: bool) -> None:
        assert nx
        self.values.setdefault(name, value)

    async def get(self, name: str) -> Any:
        return self.values[name]

    async def hsetnx(self, name: str, field: str, value: str) -> None:
        self.hashes.setdefault(name, {}).setdefault(field, value)

    async def hset(self, name: str, mapping: dict[str, bytes]) -> None:
        if self.fails:
            self.fails -= 1
            raise RedisConnectionError("gone")
        self.hashes.setdefault(name, {}).update(mapping)

    async def expire(self, name: str, seconds: int) -> None:
        assert seconds > 0

    def requests(self, level: str) -> int:
        """Return the sum of the requests in all periods of one length."""
        groups = [one for name, one in self.hashes.items() if f":{level}:" in name]
        return sum(decode_group(data)[1].requests for one in groups for field, data in one.items() if field != "begin")


def made(redis: MemoryRedis, **section: Any) -> tuple[InventoryObserver, InventoryWriter]:
    settings = InventorySection(**section)
    observer = InventoryObserver(settings, (), 2**20, wall=lambda: NOW / 1000)
    return observer, InventoryWriter(redis, settings, observer, "host/0/1")


async def test_what_redis_refuses_is_written_the_next_time() -> None:
    redis = MemoryRedis(fails=1)
    observer, writer = made(redis)
    observer.logged(entry())
    await writer.write(NOW)
    assert (redis.requests("hour"), observer.write_failures) == (0, 1)
    observer.logged(entry())
    await writer.write(NOW)
    assert (redis.requests("hour"), redis.requests("day")) == (2, 2)


async def test_many_groups_are_written_in_parts_and_a_failure_repeats_only_what_is_missing() -> None:
    redis = MemoryRedis()
    observer, writer = made(redis)
    for number in range(50):
        observer.logged(entry(f"/v1/chat{number}/chat/completions"))
    redis.fails = 1
    await writer.write(NOW)
    await writer.write(NOW)
    assert (redis.requests("hour"), redis.requests("day")) == (50, 50)


async def test_callers_are_known_once_redis_has_given_the_key() -> None:
    redis = MemoryRedis()
    observer, writer = made(redis)
    credential = tag("Bearer sk-1", "", "", "")
    assert observer.callers.caller(credential.split("\n")) == "?"
    await writer.write(NOW)
    assert observer.callers.caller(credential.split("\n")).startswith("key:")


async def test_the_key_may_be_a_secret_of_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVENTORY_KEY", "k" * 32)
    first, writer = made(MemoryRedis(), fingerprint_key=Secret(env="INVENTORY_KEY"))
    await writer.write(NOW)
    second, _ = made(MemoryRedis(), fingerprint_key=Secret(env="INVENTORY_KEY"))
    assert first.callers == second.callers


def test_a_short_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVENTORY_KEY", "short")
    with pytest.raises(ConfigError, match=r"inventory\.fingerprint_key: the secret must have at least 16 bytes"):
        made(MemoryRedis(), fingerprint_key=Secret(env="INVENTORY_KEY"))
