"""Reads from Redis how much the latencies of each workload vary."""

from __future__ import annotations

from pathlib import Path

from glidepath.config import Config
from glidepath.errors import ConfigError, UnreachableError
from glidepath.protobuf_codec import decode_scored
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient
from glidepath_ops.cli.redis_connection import with_redis
from scorer.steering.planning.latency_spread import LatencySpread, spread_of

MOST_RESULTS = 5000


def stored_spreads(path: Path, config: Config) -> dict[str, LatencySpread]:
    """Return the spread of the latencies of each workload with enough stored results.

    Without a Redis the result is empty, because a plan is usually made before anything runs. Raises InputError for a
    result that cannot be decoded.
    """
    try:
        return with_redis(path, _read)
    except (ConfigError, UnreachableError):
        return {}


async def _read(config: Config, client: RedisClient) -> dict[str, LatencySpread]:
    found = {name: await _spread(client, name) for name in config.workloads}
    return {name: spread for name, spread in found.items() if spread is not None}


async def _spread(client: RedisClient, workload: str) -> LatencySpread | None:
    entries = await client.xrevrange(WorkloadKeys(workload).results, count=MOST_RESULTS)
    return spread_of([decode_scored(fields[b"r"]) for _, fields in entries if b"r" in fields])
