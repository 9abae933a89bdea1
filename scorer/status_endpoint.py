"""The endpoint ``GET /status`` of a scorer. It returns the same JSON as ``glidepath status --json``.

Every scorer has this endpoint, whether or not it is the leader.
"""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web
from redis.exceptions import RedisError

from glidepath.config import Config
from glidepath.errors import error_text
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient


def add_status(app: web.Application, redis: RedisClient, config: Config) -> None:
    """Add the read-only route ``/status``. It returns a JSON object that maps each workload's name to its status.

    The status of a workload that was never steered is null. ``?workload=`` selects one workload.
    """

    async def status(request: web.Request) -> web.Response:
        wanted = request.query.get("workload")
        names = list(config.workloads) if wanted is None else [wanted]
        if wanted is not None and wanted not in config.workloads:
            known = ", ".join(sorted(config.workloads))
            return web.json_response({"error": f"no such workload (known: {known})"}, status=404)
        try:
            return web.json_response({name: await _read(redis, name) for name in names})
        except (RedisError, OSError, ValueError) as error:
            return web.json_response({"error": f"Redis: {error_text(error)}"}, status=503)

    app.router.add_get("/status", status)


async def _read(redis: RedisClient, name: str) -> Any:
    raw = await redis.get(WorkloadKeys(name).status)
    return None if raw is None else json.loads(raw)
