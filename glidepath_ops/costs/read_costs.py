"""Reads the input of the cost model from Redis: the workloads' history and status, and the evaluator's cost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from glidepath.config import Config
from glidepath.errors import InputError
from glidepath.evaluation_cost import read_cost
from glidepath.history import LEVELS, HistoryPoint, Level, decode_point
from glidepath.pricing.money_summary import MoneySummary, WorkloadHistory, money_summary, sharing_backends
from glidepath.pricing.periods_without_overlap import without_overlap
from glidepath.pricing.traffic_range import rate_of
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient
from glidepath_ops.cli.steering_client import read_status
from glidepath_ops.costs.remaining_ramp import remaining_ramp

PAGE = 500  # periods in one read


async def read_money(
    config: Config,
    redis: RedisClient,
    names: Sequence[str],
    now_ms: int,
    *,
    since_ms: int = 0,
    ramps: bool = False,
) -> MoneySummary:
    """Return the costs and savings of some workloads since ``since_ms``. Raises RedisError or OSError.

    ``ramps``: whether to estimate the rest of each ramp. The day of the payback needs it, but it takes some time.
    """
    histories = [await read_workload_history(redis, config, name, now_ms, since_ms) for name in names]
    if ramps:
        histories = [(await with_ramp(config, history))[0] for history in histories]
    return money_summary(config, histories, now_ms, await read_others(redis, config, names, now_ms, since_ms))


async def read_others(
    redis: RedisClient, config: Config, names: Sequence[str], now_ms: int, since_ms: int
) -> list[WorkloadHistory]:
    """Return the histories of the workloads that share GPUs or fixed amounts with ``names``."""
    others = sharing_backends(config, names)[len(names) :]
    return [await read_workload_history(redis, config, name, now_ms, since_ms) for name in others]


async def with_ramp(config: Config, history: WorkloadHistory) -> tuple[WorkloadHistory, str]:
    """Return the history with the time that the rest of the ramp takes, or with None and the reason."""
    workload, rate = config.workload(history.workload), rate_of(history.points)
    place = history.percent, history.phase
    seconds, why = await asyncio.to_thread(remaining_ramp, history.workload, workload, *place, rate)  # a simulation
    return replace(history, ramp_s=seconds), why


async def read_workload_history(
    redis: RedisClient, config: Config, name: str, now_ms: int, since_ms: int
) -> WorkloadHistory:
    status = await read_status(redis, name)
    evaluator = config.workload(name).scoring.evaluator
    cost = await read_cost(redis, name, now_ms) if evaluator is not None and evaluator.price is not None else None
    return WorkloadHistory(
        name,
        await read_periods(redis, name, since_ms),
        status.percent if status is not None else 0.0,
        status.movable_share if status is not None else None,
        Decimal(repr(cost.total)) if cost is not None else Decimal(0),
        phase=status.phase if status is not None else "",
    )


async def read_periods(redis: RedisClient, workload: str, since_ms: int) -> list[HistoryPoint]:
    """Return the stored periods since ``since_ms``, without overlap, the oldest first. Raises RedisError or OSError."""
    longest_first = sorted(LEVELS, key=lambda level: -level.seconds)
    return without_overlap([await read_level(redis, workload, level, since_ms) for level in longest_first])


async def read_level(
    redis: RedisClient, workload: str, level: Level, since_ms: int, *, with_traffic: bool = True
) -> list[HistoryPoint]:
    """Return the stored periods of one length since ``since_ms``, the oldest first. Unreadable periods are left out.

    ``with_traffic``: whether the points contain their traffic. Only amounts need it, and decoding it takes most of the
    time. Raises RedisError or OSError.
    """
    key, found, after = WorkloadKeys(workload).history(level.name), list[HistoryPoint](), str(since_ms)
    for _ in range(level.kept // PAGE + 2):
        entries = await redis.xrange(key, after, count=PAGE)
        for entry, fields in entries:
            try:
                at_ms = int(entry.split(b"-")[0])
                traffic = fields.get(b"t", b"") if with_traffic else b""
                found.append(decode_point(fields.get(b"h", b""), at_ms, level.seconds, traffic))
            except InputError:
                continue
        if len(entries) < PAGE:
            break
        after = f"({entries[-1][0].decode()}"
    return found
