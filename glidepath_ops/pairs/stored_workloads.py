"""Find the workloads of which Redis has pairs, also those that have left the configuration."""

from __future__ import annotations

from glidepath.config import Config, Workload
from glidepath.config.request_match import Match
from glidepath.errors import UnknownWorkloadError
from glidepath.name_suggestions import allowed_names, first_of_many
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient

# The settings of a removed workload are unknown. The defaults decide only how its answers are read as text.
_DEFAULTS = Workload(match=Match(path="/"), baseline="baseline", candidate="candidate")


async def workload_with_pairs(settings: Config, client: RedisClient, name: str) -> Workload:
    """Return the settings of a workload, or the default settings if only Redis knows it: it was removed.

    Raises UnknownWorkloadError if neither knows it, RedisError or OSError.
    """
    if name in settings.workloads:
        return settings.workloads[name]
    if await client.exists(*_records(WorkloadKeys(name))):
        return _DEFAULTS
    removed = sorted(await stored_workloads(client) - settings.workloads.keys())
    also = f"; removed, but with pairs in Redis: {first_of_many(removed)}" if removed else ""
    raise UnknownWorkloadError(f"unknown workload {name!r} {allowed_names(settings.workloads, name)}{also}")


async def stored_workloads(client: RedisClient) -> set[str]:
    """Return the names of the workloads for which Redis has pairs, results, labels or feedback.

    Raises RedisError or OSError.
    """
    names = set()
    for key in _records(WorkloadKeys("*")):
        async for found in client.scan_iter(match=key, count=1000):
            names.add(found.decode(errors="replace").partition("{")[2].partition("}")[0])
    return names


def _records(keys: WorkloadKeys) -> tuple[str, ...]:
    return keys.pairs, keys.dead, keys.results, keys.kept, keys.labels, keys.feedback_notes
