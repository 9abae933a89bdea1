"""Small writes that a full Redis must accept: commands of people, decisions, the leader's lease, and outcomes.

A Redis that has reached ``maxmemory`` refuses every command that may need memory (error OOM). Pairs and scores can
wait, but a rollback cannot. Redis allows a script to write if an earlier command of the same script was a write that
needs no memory, such as PERSIST. Source: redis.io, "Scripting with Lua", and ``scriptCall`` in Redis' source.
"""

from __future__ import annotations

from typing import Any

from glidepath.redisio import RedisClient

_ADD = """
redis.call('PERSIST', KEYS[1])
return redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', ARGV[2], ARGV[3])
"""


async def add_to_stream(client: RedisClient, key: str, field: str, value: str | bytes, kept: int) -> Any:
    """Add an entry to a stream without a TTL, even if Redis is full, and return its id.

    ``kept``: the approximate number of entries that the stream keeps. Raises RedisError.
    """
    return await client.eval(_ADD, 1, key, kept, field, value)
