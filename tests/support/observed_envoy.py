"""A real Envoy that observes its traffic for the inventory, with extproc and Redis, between a test and backends."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import redis.asyncio
import yaml

from glidepath import zstd
from glidepath.clock import unix_ms
from glidepath.config import Config, load_config
from glidepath_ops.cli.delayed_progress_bar import delayed_progress_bar
from glidepath_ops.envoyconfig.bootstrap import render_bootstrap
from glidepath_ops.envoyconfig.insert_into_bootstrap import insert_glidepath
from glidepath_ops.inventory.estimate import CallGroup, Traffic
from glidepath_ops.inventory.read_inventory import read_from_redis
from glidepath_ops.local.child_process import Child, free_ports
from glidepath_ops.local.redis_and_envoy import start_envoy, start_redis
from tests.support.recording_backend import Recorder
from tests.support.waiting import eventually

CHAT = "/v1/chat/completions"
HOUR_MS = 3_600_000
WARM_UP = "/warm-up/v1/chat/completions"


@dataclass(slots=True)
class ObservedEnvoy:
    """The running parts. ``live``: the URL for clients."""

    config: Config
    file: Path
    live: str
    backend: Recorder
    session: aiohttp.ClientSession
    redis: Any
    extproc: Child

    async def ask(self, model: str, headers: Mapping[str, str] | None = None, path: str = CHAT, **more: Any) -> int:
        """Send a request and return the status of its answer."""
        body = {"model": model, "messages": [{"role": "user", "content": "Who are you?"}], **more}
        async with self.session.post(self.live + path, json=body, headers=headers) as response:
            await response.read()
            return response.status

    async def warm_up(self) -> None:
        """Send requests until Envoy is connected to extproc. On a busy machine, its first connection may be late."""

        async def received() -> bool:
            assert await self.ask("warm-up", path=WARM_UP) == 200
            async with self.session.get(f"http://{self.config.extproc.metrics}/metrics") as response:
                lines = (await response.text()).splitlines()
            found = {
                name: float(number) for name, _, number in (line.rpartition(" ") for line in lines) if name[0] != "#"
            }
            return (
                found["glidepath_extproc_exchanges_total"] > 0
                and found["glidepath_extproc_access_log_entries_total"] > 0
            )

        await eventually(received)
        self.backend.received.clear()

    async def traffic(self) -> Traffic:
        """Return the traffic of the last hour, as `glidepath inventory` reads it."""
        now = unix_ms()
        with delayed_progress_bar("", None) as advance:
            return (await read_from_redis(self.config, self.redis, now - HOUR_MS, now, advance)).traffic

    async def groups(self, *, requests: int) -> dict[tuple[str, str, str], CallGroup]:
        """Return (path, model, caller) → group, once all ``requests`` are counted with their bodies."""
        found = Traffic()

        async def counted() -> bool:
            nonlocal found
            found = await self.traffic()
            found.groups = {key: group for key, group in found.groups.items() if key.path != WARM_UP}
            inference = [one for one in found.groups.values() if one.key.call == "inference"]
            return found.requests >= requests and all(one.sampled == one.requests for one in inference)

        await eventually(counted)
        return {(key.path, key.model, key.caller): group for key, group in found.groups.items()}

    async def redis_has(self, text: str) -> bool:
        """Return whether any key or value in Redis contains a text. Compressed values are decompressed first."""
        wanted = text.encode()
        async for key in self.redis.scan_iter():
            dump = await self.redis.dump(key)
            if wanted in key or wanted in dump:
                return True
            if await self.redis.type(key) == b"hash":
                values = await self.redis.hgetall(key)
                if any(wanted in part for item in values.items() for part in (item[0], unpacked(item[1]))):
                    return True
        return False


def unpacked(value: bytes) -> bytes:
    """Return a value decompressed if it is a compressed group, else unchanged."""
    try:
        return zstd.ZstdDecompressor().decompress(value)
    except zstd.ZstdError:
        return value


@asynccontextmanager
async def observed_envoy(
    folder: Path,
    *,
    into: str | None = None,
    inventory: Mapping[str, Any] | None = None,
    workloads: Mapping[str, Any] | None = None,
) -> AsyncIterator[ObservedEnvoy]:
    """Run Envoy, by default without a workload.

    ``workloads``: workloads from ``cloud`` to ``onprem``, which are the same backend. ``into``: a bootstrap of the user
    with ``%LISTEN%``, ``%ADMIN%`` and ``%BACKEND%`` in place of the ports.
    """
    live, shadow, admin, metrics, redis_port = free_ports(5)
    async with AsyncExitStack() as stack:
        backend = await stack.enter_async_context(Recorder("cloud"))
        sections: dict[str, Any] = {
            "envoy": {
                "listen": f"127.0.0.1:{live}",
                "shadow_listen": f"127.0.0.1:{shadow}",
                "admin": f"http://127.0.0.1:{admin}",
            },
            "redis": {"url": f"redis://127.0.0.1:{redis_port}/0"},
            "extproc": {"listen": f"unix:{folder}/extproc.sock", "metrics": f"127.0.0.1:{metrics}", "drain": "1s"},
            "inventory": dict(inventory or {}),
        }
        if into is None:
            sections["envoy"]["default_backend"] = "cloud"
            sections["backends"] = {"cloud": {"url": backend.url}}
        if workloads is not None:
            sections["backends"]["onprem"] = {"url": backend.url}
            sections["workloads"] = dict(workloads)
        file, bootstrap = folder / "glidepath.yaml", folder / "envoy.yaml"
        file.write_text(yaml.safe_dump(sections))
        config = load_config(file)
        if into is None:
            bootstrap.write_text(json.dumps(render_bootstrap(config)))
        else:
            given = {"%LISTEN%": live, "%ADMIN%": admin, "%BACKEND%": backend.port}
            for place, port in given.items():
                into = into.replace(place, str(port))
            bootstrap.write_text(insert_glidepath(into, config, "envoy.yaml"))
        stack.enter_context(start_redis(folder / "redis", redis_port))
        stack.enter_context(start_envoy(bootstrap, f"http://127.0.0.1:{admin}", folder / "envoy.log"))
        command = [sys.executable, "-m", "glidepath_ops", "extproc", "-c", str(file)]
        extproc = stack.enter_context(Child("extproc", command, folder / "extproc.log"))
        extproc.wait_until(lambda: is_ready(config.extproc.metrics))
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)))
        store = await stack.enter_async_context(redis.asyncio.from_url(config.redis.url))
        url = f"http://127.0.0.1:{live}"
        running = ObservedEnvoy(config, file, url, backend, session, store, extproc)
        await running.warm_up()
        yield running


def is_ready(metrics: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{metrics}/readyz", timeout=1) as response:
            return bool(response.status == 200)
    except OSError:
        return False
