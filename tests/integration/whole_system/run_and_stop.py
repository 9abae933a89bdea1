"""Programs that the test of contacts and files runs in isolation: they start `up` or the demo, use it and stop it.

``up`` prints the configured ports as JSON on its last line.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import stat
import sys
from pathlib import Path

import aiohttp

from glidepath.config import load_config
from glidepath.redisio import connect
from glidepath.status_and_decisions import WorkloadStatus
from glidepath_ops.cli.steering_client import read_status
from glidepath_ops.local.child_process import Child
from tests.support.recording_backend import Recorder
from tests.support.up_config import write_up_config
from tests.support.waiting import eventually

COMMAND = [sys.executable, "-m", "glidepath_ops"]


async def use_up(folder: Path) -> None:
    """Run `up` until a pair is scored, and stop it."""
    async with Recorder("cloud") as cloud, Recorder("onprem") as onprem:
        path = write_up_config(folder, cloud.url, onprem.url)
        with Child("up", [*COMMAND, "up", "-c", str(path)], folder / "up.log", cwd=folder) as up:
            await eventually(lambda: "Ctrl-C stops everything" in up.log.read_text() or not up.alive, within=90)
            config = load_config(folder / ".glidepath" / "glidepath.yaml")
            await ask(f"http://{config.envoy.listen}/v1/chat/completions")
            redis = connect(config.redis)

            async def scored() -> bool:
                status: WorkloadStatus | None = await read_status(redis, "chat")
                return status is not None and status.pairs_scored > 0

            await eventually(scored)
            await redis.aclose()
    addresses = (config.envoy.listen, config.extproc.metrics, config.scorer.metrics, config.console.listen)
    servers = (*config.envoy.admin, str(config.redis.url), cloud.url, onprem.url)
    ports = [int(one.rpartition(":")[2].partition("/")[0]) for one in (*addresses, *servers)]
    sys.stdout.write(f"{json.dumps(ports)}\n")


async def ask(url: str) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Who?"}]}
    async with aiohttp.ClientSession() as http, http.post(url, json=body) as response:
        response.raise_for_status()
        await response.read()


def bound_sockets() -> list[tuple[str, int]]:
    """Return the name and the mode of each Unix socket in this network namespace that has a path."""
    lines = Path("/proc/net/unix").read_text().splitlines()
    paths = {Path(line.split()[-1]) for line in lines if line.endswith(".sock")}
    return sorted((path.name, stat.S_IMODE(path.stat().st_mode)) for path in paths)


async def use_demo(folder: Path) -> None:
    """Run the demo until pairs are scored, and stop it. Print its output and the modes of its sockets."""
    with Child("demo", [*COMMAND, "demo"], folder / "demo.log", cwd=folder) as demo:
        await eventually(lambda: bool(re.search(r"pairs [1-9]", demo.log.read_text())) or not demo.alive, within=120)
        sys.stdout.writelines(f"{name} {mode:o}\n" for name, mode in bound_sockets())
        demo.signal(signal.SIGINT)
        await asyncio.to_thread(demo.process.wait, 30)
    sys.stdout.write(demo.log.read_text())


if __name__ == "__main__":
    asyncio.run({"up": use_up, "demo": use_demo}[sys.argv[1]](Path(sys.argv[2])))
