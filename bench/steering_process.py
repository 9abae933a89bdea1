"""A process that only steers, with the real evidence and without an embedding model, so that it starts quickly.

``python -m bench.steering_process CONFIG OWNER``
"""

from __future__ import annotations

import asyncio
import signal
import sys

from prometheus_client import CollectorRegistry

from glidepath.config import load_config
from glidepath.redisio import connect
from scorer.steering.leader.wiring import steer_loop

READY = "ready"  # the line that this process prints when it tries to get the lease


async def main(path: str, owner: str) -> None:
    config = load_config(path)
    redis, stop = connect(config.redis), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    loop = steer_loop(config, redis, owner, CollectorRegistry())
    await redis.ping()
    print(READY, flush=True)
    await loop.run(stop)
    await redis.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
