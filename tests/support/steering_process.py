"""A process with a steer loop and no score loop. It starts quickly, for tests that kill and freeze it.

``python -m tests.support.steering_process CONFIG OWNER``
"""

from __future__ import annotations

import asyncio
import signal
import sys

from prometheus_client import CollectorRegistry

from glidepath.config import load_config
from glidepath.redisio import connect
from scorer.steering.leader.wiring import steer_loop
from tests.support.scripted_evidence import ScriptedEvidenceKind


async def main(path: str, owner: str) -> None:
    config = load_config(path)
    redis = connect(config.redis)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await steer_loop(config, redis, owner, CollectorRegistry(), ScriptedEvidenceKind()).run(stop)
    await redis.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
