"""Gathers the facts for ``glidepath doctor`` from Envoys' admin APIs and Redis, with limits on time and size.

An unreachable Envoy or Redis raises no error: the facts contain the error.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from redis.exceptions import RedisError

from glidepath import redis_keys, scorer_groups
from glidepath.config import Config
from glidepath.errors import InputError, error_text
from glidepath.redisio import RedisClient, connect, without_password
from glidepath.status_and_decisions import WorkloadStatus, from_json
from glidepath.unseen_log_entries import UnseenRecord
from glidepath_ops.doctor.facts import EnvoyFacts, RedisFacts
from scorer.steering.envoy.admin_actuator import addresses_of

TIMEOUT = aiohttp.ClientTimeout(total=10)
BETWEEN_READINGS_S = 1.0  # so that present failures to connect can be distinguished from earlier ones
MAX_BYTES = 64 * 2**20  # the config dump of an Envoy in a mesh is large


async def gather_envoy(url: str) -> EnvoyFacts:
    """Return the facts about the Envoy whose admin API is at ``url`` (http:// or unix:/path)."""
    connector = aiohttp.UnixConnector(url.removeprefix("unix:")) if url.startswith("unix:") else None
    base = "http://localhost" if connector else url
    try:
        async with aiohttp.ClientSession(timeout=TIMEOUT, connector=connector) as session:
            info, date = await _get_json(session, f"{base}/server_info")
            earlier, _ = await _get_json(session, f"{base}/clusters?format=json")
            await asyncio.sleep(BETWEEN_READINGS_S)
            return EnvoyFacts(
                url=url,
                server_info=info,
                earlier_clusters=earlier,
                dump=(await _get_json(session, f"{base}/config_dump"))[0],
                runtime=(await _get_json(session, f"{base}/runtime"))[0],
                clusters=(await _get_json(session, f"{base}/clusters?format=json"))[0],
                stats=_stats((await _get_json(session, f"{base}/stats?format=json&usedonly"))[0]),
                clock_skew_s=_skew(date),
            )
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        reason = error_text(error)
        return EnvoyFacts(url=url, error=f"its admin API does not answer: {reason}")


async def _get_json(session: aiohttp.ClientSession, url: str) -> tuple[dict[str, Any], str]:
    async with session.get(url) as response:
        response.raise_for_status()
        body = await response.content.read(MAX_BYTES + 1)
        while len(body) <= MAX_BYTES and not response.content.at_eof():
            body += await response.content.read(MAX_BYTES + 1 - len(body))
        if len(body) > MAX_BYTES:
            raise ValueError(f"{url} is longer than {MAX_BYTES} bytes")
        parsed = json.loads(body)
        if not isinstance(parsed, dict):
            raise ValueError(f"{url} is not a JSON object")  # noqa: TRY004 - one error type for every answer that is not Envoy's
        return parsed, response.headers.get("date", "")


def _stats(raw: Mapping[str, Any]) -> dict[str, int]:
    return {s["name"]: s["value"] for s in raw.get("stats", []) if isinstance(s.get("value"), int) and "name" in s}


def _skew(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() - time.time() + 0.5  # the header is in whole seconds
    except (TypeError, ValueError):
        return None


async def gather_redis(config: Config) -> RedisFacts:
    url = without_password(config.redis.url or "redis://127.0.0.1:6379/0")
    client = connect(config.redis)
    try:
        return await _gather_redis(client, url, list(config.workloads), config.scorer.group)
    except (RedisError, OSError, ValueError) as error:
        reason = error_text(error)
        return RedisFacts(url=url, error=f"not usable as Redis: {reason}")
    finally:
        await client.aclose()


async def _gather_redis(client: RedisClient, url: str, workloads: list[str], group: str) -> RedisFacts:
    info = await client.info()
    replica_of = _primary(info)  # of a cluster, the client finds the primaries by itself
    info = info if "redis_version" in info else next(iter(info.values()))
    settings = await _settings(client)
    seconds, micros = await client.time()
    statuses = {name: await _status(client, name) for name in workloads}
    return RedisFacts(
        url=url,
        version=str(info.get("valkey_version") or info["redis_version"]),
        replica_of=replica_of,
        eviction=settings.get("maxmemory-policy"),
        max_memory=info.get("maxmemory"),
        used_memory=info.get("used_memory"),
        append_only=settings["appendonly"] == "yes" if "appendonly" in settings else None,
        append_failed=info.get("aof_last_write_status", "ok") != "ok",
        snapshots=bool(settings["save"]) if "save" in settings else None,
        clock_skew_s=seconds + micros / 1e6 - time.time(),
        leader=await scorer_groups.leader(client, group),
        group=group,
        last_steering=await scorer_groups.last_steering(client, workloads),
        unseen=await read_unseen(client),
        status_age_s={name: _age_s(status) for name, status in statuses.items()},
        digests={name: one.config_digest for name, one in statuses.items() if one is not None},
        instruments={name: status.instruments for name, status in statuses.items() if status is not None},
        refusals={name: one.refusals for name, one in statuses.items() if one is not None},
        blind={name: one.blind for name, one in statuses.items() if one is not None},
        no_counters={name: one.no_counter_guard for name, one in statuses.items() if one is not None},
        languages={name: one.languages for name, one in statuses.items() if one is not None},
    )


def _primary(info: Mapping[str, Any]) -> str:
    """Return the address of the primary if INFO shows that this Redis is a read-only replica, else ""."""
    replica = info.get("role") == "slave" and info.get("slave_read_only", 1)
    return f"{info.get('master_host', '?')}:{info.get('master_port', '?')}" if replica else ""


async def _settings(client: RedisClient) -> dict[str, str]:
    """Return Redis' settings for eviction and persistence, read with CONFIG GET.

    Returns {} if Redis refuses this command, as a managed Redis may do.
    """
    found: dict[str, str] = {}
    try:
        for name in ("maxmemory-policy", "appendonly", "save"):
            found.update({_text(k): _text(v) for k, v in (await client.config_get(name)).items()})
    except RedisError:
        return {}
    return found


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


async def read_unseen(client: RedisClient) -> UnseenRecord | None:
    """Return the record of access log entries that reached no extproc, or None if there is none."""
    raw = await client.get(redis_keys.UNSEEN_ENTRIES)
    try:
        return None if raw is None else UnseenRecord.from_json(raw)
    except InputError:
        return None


async def _status(client: RedisClient, workload: str) -> WorkloadStatus | None:
    raw = await client.get(redis_keys.WorkloadKeys(workload).status)
    try:
        return None if raw is None else from_json(WorkloadStatus, raw)
    except InputError:
        return None


def _age_s(status: WorkloadStatus | None) -> float | None:
    return None if status is None else time.time() - status.updated_at_ms / 1000


async def gather(config: Config) -> tuple[list[EnvoyFacts], RedisFacts]:
    """Return the facts about every Envoy in the configuration and about Redis. They are gathered concurrently."""
    async with asyncio.TaskGroup() as group:
        envoys = [group.create_task(_gather_envoys(url)) for url in config.envoy.admin]
        redis = group.create_task(gather_redis(config))
    return [facts for task in envoys for facts in task.result()], redis.result()


async def _gather_envoys(url: str) -> list[EnvoyFacts]:
    """Return the facts about the Envoy at ``url``, or about each Envoy behind the name of a ``dns://NAME:PORT``."""
    if not url.startswith("dns://"):
        return [await gather_envoy(url)]
    parts = urlsplit(url)
    try:
        addresses = await addresses_of(str(parts.hostname), int(parts.port or 0))
    except OSError as error:
        return [EnvoyFacts(url=url, error=f"its name cannot be resolved: {error_text(error)}")]
    return await asyncio.gather(*(gather_envoy(one) for one in sorted(addresses)))
