"""A real Envoy with extproc and Redis, between a test and two recording backends."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import sys
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import redis.asyncio
from aiohttp import web

from glidepath import envoy_names, redis_keys, runtime_keys
from glidepath.config import Config, load_config
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.pairs import Pair
from glidepath.protobuf_codec import decode_outcomes, decode_pair
from glidepath.sides import Origin, Side
from glidepath_ops.envoyconfig.bootstrap import render_bootstrap
from glidepath_ops.local.child_process import Child, answers, free_ports
from glidepath_ops.local.redis_and_envoy import start_envoy, start_redis
from tests.support.planted_secrets import headers_of_secrets, query_of_secrets
from tests.support.recording_backend import Recorder
from tests.support.waiting import eventually

CHAT = "/v1/chat/completions"
NAMES = redis_keys.WorkloadKeys("chat")
QUESTION = {"model": "any", "messages": [{"role": "user", "content": "Who are you?"}]}


class CaptureBackend(Recorder):
    """A recorder that can also answer with gzip, with a stream that does not end, or with a broken body."""

    floods_ended = 0
    broken_by = ""

    async def _gzip(self, _: web.Request) -> web.StreamResponse:
        body = gzip.compress(json.dumps(self.answer()).encode())
        headers = {"content-encoding": "gzip", "content-type": "application/json"}
        return web.Response(body=body, headers=headers)

    async def _broken(self, request: web.Request) -> web.StreamResponse:
        """Answer with status 200 or a redirection, and a body that no client can use. ``broken_by``: the fault."""
        error = b'{"error": {"message": "gone"}}'
        status, kind, body, coding = {
            "error_event": (200, "text/event-stream", self.events()[0] + b"data: " + error + b"\n\n", ""),
            "unfinished_stream": (200, "text/event-stream", self.events()[0], ""),
            "error_body": (200, "application/json", gzip.compress(error), "gzip"),
            "web_page": (200, "text/html", b"<html>Please sign in.</html>", ""),
            "empty_body": (200, "application/json", b"", ""),
            "redirect": (307, "text/plain", b"", ""),
            "no_answer": (200, "text/event-stream", b"data: [DONE]\n\n", ""),
        }[self.broken_by]
        headers = {"content-type": kind, "location": "/other"} | ({"content-encoding": coding} if coding else {})
        return web.Response(status=status, body=body, headers=headers)

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        response = await self._open_stream(request)
        await response.write(self.events()[0])
        await self._ending.wait()
        return response

    async def _flood(self, request: web.Request) -> web.StreamResponse:
        """Send bytes for as long as the connection lasts."""
        response = await self._open_stream(request)
        try:
            while True:
                await response.write(b"x" * 65_536)
        finally:
            self.floods_ended += 1


@dataclass(slots=True)
class Processes:
    """The processes that all tests of this module share: Redis, Envoy and one extproc."""

    config: Config
    file: Path
    admin: str
    extproc: Child
    folder: Path

    def start_extproc(self) -> None:
        command = [sys.executable, "-c", "from glidepath_ops.cli import main; main()", "extproc", "-c", str(self.file)]
        self.extproc = Child("extproc", command, self.folder / "extproc.log")
        self.extproc.wait_until(self.ready)

    def ready(self) -> bool:
        host, _, port = self.config.extproc.metrics.rpartition(":")
        if not answers(host, int(port)):
            return False
        try:
            with urllib.request.urlopen(f"http://{self.config.extproc.metrics}/readyz", timeout=1) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def candidate_percent(self, percent: float) -> None:
        candidate = runtime_keys.weight_key("chat", envoy_names.fallback_cluster("onprem", "cloud"))
        share = round(percent * 100)
        query = f"{candidate}={share}&{runtime_keys.weight_key('chat', 'cloud')}={runtime_keys.FULL_WEIGHT - share}"
        request = urllib.request.Request(f"{self.admin}/runtime_modify?{query}", method="POST")
        with urllib.request.urlopen(request, timeout=30) as response:
            assert response.status == 200


@contextmanager
def running_processes(folder: Path, workloads: str = "", sections: str = "") -> Iterator[Processes]:
    """Run Redis, Envoy and extproc for the workload ``chat``.

    ``workloads``, ``sections``: additional workloads and sections, as YAML.
    """
    live, shadow, admin, metrics, redis_port, cloud, onprem = free_ports(7)
    file = folder / "glidepath.yaml"
    file.write_text(f"""
envoy:
  listen: "127.0.0.1:{live}"
  shadow_listen: "127.0.0.1:{shadow}"
  admin: "http://127.0.0.1:{admin}"
redis: {{url: "redis://127.0.0.1:{redis_port}/0"}}
extproc: {{listen: "unix:{folder}/run/extproc.sock", metrics: "127.0.0.1:{metrics}", flush: 100ms, drain: 1s}}
backends:
  cloud: {{url: "http://127.0.0.1:{cloud}", model: cloud-model}}
  onprem: {{url: "http://127.0.0.1:{onprem}", model: onprem-model}}
workloads:
  chat:
    match: {{path: {CHAT}}}
    baseline: cloud
    candidate: onprem
    sticky: {{header: x-user-id}}
    shadow: {{same_side: 0, timeout: 5s}}
{workloads}
{sections}""")
    config = load_config(file)
    bootstrap = folder / "envoy.json"
    bootstrap.write_text(json.dumps(render_bootstrap(config)))
    admin_url = f"http://127.0.0.1:{admin}"
    with start_redis(folder / "redis", redis_port), start_envoy(bootstrap, admin_url, folder / "envoy.log"):
        made = Processes(config, file, admin_url, None, folder)  # type: ignore[arg-type]
        made.start_extproc()
        yield made
        assert made.extproc.stop() == 0


@dataclass(slots=True)
class RunningCapture:
    processes: Processes
    cloud: CaptureBackend
    onprem: CaptureBackend
    client: aiohttp.ClientSession
    redis: Any

    def post(self, *, allow_redirects: bool = True, **question: Any) -> Any:
        url = f"http://{self.processes.config.envoy.listen}{CHAT}?{query_of_secrets()}&api-version=1"
        headers = {**headers_of_secrets(), "x-user-id": "ann"}
        return self.client.post(url, json=QUESTION | question, headers=headers, allow_redirects=allow_redirects)

    async def ask(self) -> bytes:
        async with self.post() as response:
            body: bytes = await response.read()
            assert response.status == 200, body
            return body

    async def pairs(self) -> list[Pair]:
        return [decode_pair(entry[b"p"]) for _, entry in await self.redis.xrange(NAMES.pairs)]

    async def stored(self, number: int) -> list[Pair]:
        """Wait until ``number`` pairs are in Redis, and return them. The outcomes may count them earlier."""

        async def reached() -> bool:
            return len(await self.pairs()) >= number

        await eventually(reached)
        return await self.pairs()

    async def outcomes(self) -> list[Outcomes]:
        return [decode_outcomes(entry[b"o"]) for _, entry in await self.redis.xrange(NAMES.outcomes)]

    async def coverage(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for one in await self.outcomes():
            total.update(one.coverage)
        return total

    async def side(self, side: Side, origin: Origin) -> SideOutcomes:
        total = SideOutcomes(side, origin)
        for one in await self.outcomes():
            for part in one.sides:
                if (part.side, part.origin) == (side, origin):
                    total += part
        return total

    async def idle(self) -> bool:
        """Return whether extproc has finished: no open stream, no held body, and no record that waits for Redis."""
        async with self.client.get(f"http://{self.processes.config.extproc.metrics}/metrics") as response:
            lines = (await response.text()).splitlines()
        held = tuple(f"glidepath_extproc_{name}" for name in ("streams", "memory_bytes", "buffer_pairs"))
        if any(float(line.rpartition(" ")[2]) for line in lines if re.split(r"[ {]", line)[0] in held):
            return False
        before = await self.redis.xlen(NAMES.outcomes)
        await asyncio.sleep(0.3)  # three flushes
        return bool(await self.redis.xlen(NAMES.outcomes) == before)

    async def covered(self, **expected: int) -> None:
        async def reached() -> bool:
            coverage = await self.coverage()
            return all(coverage[name] >= number for name, number in expected.items())

        await eventually(reached)

    async def counted(self, side: Side, origin: Origin, requests: int, aborts: int = 0) -> SideOutcomes:
        async def reached() -> bool:
            found = await self.side(side, origin)
            return found.requests >= requests and found.client_aborts >= aborts

        await eventually(reached)
        return await self.side(side, origin)


@asynccontextmanager
async def connected(processes: Processes) -> AsyncIterator[RunningCapture]:
    """Reset the processes: good answers of the backends, all traffic to the baseline, and an empty Redis."""
    ports = {name: int(b.url.rpartition(":")[2]) for name, b in processes.config.backends.items()}
    processes.candidate_percent(0)
    async with AsyncExitStack() as stack:
        cloud = await stack.enter_async_context(CaptureBackend("cloud", port=ports["cloud"]))
        onprem = await stack.enter_async_context(CaptureBackend("onprem", port=ports["onprem"]))
        client = await stack.enter_async_context(aiohttp.ClientSession())
        store = await stack.enter_async_context(redis.asyncio.from_url(processes.config.redis.url))
        await store.flushall()
        running = RunningCapture(processes, cloud, onprem, client, store)
        yield running
        await eventually(running.idle)  # else the next test finds a pair or an outcome of this one
