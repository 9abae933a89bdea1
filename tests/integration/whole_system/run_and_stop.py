"""Programs that the test of contacts and files runs in isolation: they start `up` or the demo, use it and stop it.

``up`` prints the configured ports as JSON on its last line.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from pathlib import Path

import aiohttp

from glidepath.config import load_config
from glidepath.redisio import connect
from glidepath.status_and_decisions import WorkloadStatus
from glidepath_ops.cli.steering_client import read_status
from glidepath_ops.local.child_process import Child, free_ports
from tests.support.recording_backend import Recorder
from tests.support.waiting import eventually

COMMAND = [sys.executable, "-m", "glidepath_ops"]
CONFIG = """\
envoy: {{listen: "127.0.0.1:{0}", shadow_listen: "127.0.0.1:{1}", concurrency: 1}}
extproc: {{metrics: "127.0.0.1:{2}"}}
scorer: {{metrics: "127.0.0.1:{3}"}}
backends:
  cloud: {{url: "{cloud}"}}
  onprem: {{url: "{onprem}"}}
workloads:
  chat:
    match: {{path: /v1/chat/completions}}
    baseline: cloud
    candidate: onprem
"""


async def use_up(folder: Path) -> None:
    """Run `up` until a pair is scored, and stop it."""
    async with Recorder("cloud") as cloud, Recorder("onprem") as onprem:
        path = folder / "glidepath.yaml"
        path.write_text(CONFIG.format(*free_ports(4), cloud=cloud.url, onprem=onprem.url))
        with Child("up", [*COMMAND, "up", "-c", str(path)], folder / "up.log", cwd=folder) as up:
            await eventually(lambda: "Ctrl-C stops everything" in up.log.read_text() or not up.alive, within=90)
            config = load_config(folder / ".glidepath" / "glidepath.yaml")
            await ask(f"http://{config.envoy.listen}/v1/chat/completions")
            redis = connect(config.redis)

            async def scored() -> bool:
                status: WorkloadStatus | None = await read_status(redis, "chat")
                return status is not None and status.pairs_scored > 0

            await eventually(scored, within=60)
            await redis.aclose()
    addresses = (config.envoy.listen, config.envoy.shadow_listen, config.extproc.metrics, config.scorer.metrics)
    servers = (*config.envoy.admin, str(config.redis.url), cloud.url, onprem.url)
    ports = [int(one.rpartition(":")[2].partition("/")[0]) for one in (*addresses, *servers)]
    sys.stdout.write(f"{json.dumps(ports)}\n")


async def ask(url: str) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Who?"}]}
    async with aiohttp.ClientSession() as http, http.post(url, json=body) as response:
        response.raise_for_status()
        await response.read()


async def use_demo(folder: Path) -> None:
    """Run the demo until pairs are scored, and stop it."""
    with Child("demo", [*COMMAND, "demo"], folder / "demo.log", cwd=folder) as demo:
        await eventually(lambda: bool(re.search(r"pairs [1-9]", demo.log.read_text())) or not demo.alive, within=120)
        demo.signal(signal.SIGINT)
        await asyncio.to_thread(demo.process.wait, 30)
    sys.stdout.write(demo.log.read_text())


if __name__ == "__main__":
    asyncio.run({"up": use_up, "demo": use_demo}[sys.argv[1]](Path(sys.argv[2])))
