"""A real Redis that refuses writes is found, with the reason: it is full, or it is a read-only replica."""

from __future__ import annotations

from typing import Any

from glidepath.config import Config, parse_config
from glidepath_ops.doctor.checks import examine_redis
from glidepath_ops.doctor.facts import Severity
from glidepath_ops.doctor.gather_facts import gather_redis
from tests.support.envoy_facts import finding


def configured(valid_yaml: str, url: str) -> Config:
    return parse_config(valid_yaml + f'redis: {{url: "{url}"}}\n')


async def test_a_full_redis_fails_the_check_of_memory(valid_yaml: str, redis_url: str, redis_client: Any) -> None:
    await redis_client.config_set("maxmemory", "1mb")
    try:
        found = finding(list(examine_redis(await gather_redis(configured(valid_yaml, redis_url)))), "memory")
    finally:
        await redis_client.config_set("maxmemory", "0")
    assert (found.level, "so Redis refuses writes" in found.detail) == (Severity.FAIL, True)
    found = finding(list(examine_redis(await gather_redis(configured(valid_yaml, redis_url)))), "memory")
    assert (found.level, "no limit" in found.detail) == (Severity.OK, True)


async def test_a_read_only_replica(valid_yaml: str, redis_url: str, redis_client: Any) -> None:
    await redis_client.execute_command("REPLICAOF", "127.0.0.1", "9")
    try:
        found = finding(list(examine_redis(await gather_redis(configured(valid_yaml, redis_url)))), "role")
    finally:
        await redis_client.execute_command("REPLICAOF", "NO", "ONE")
    assert (found.level, "a read-only replica of 127.0.0.1:9" in found.detail) == (Severity.FAIL, True)
    found = finding(list(examine_redis(await gather_redis(configured(valid_yaml, redis_url)))), "role")
    assert found.level is Severity.OK
