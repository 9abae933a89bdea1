"""Measure the clients' errors when the candidate fails and none of Glidepath's processes runs.

``make bench-outlier`` starts a real Envoy with a rendered configuration, without extproc and scorer. Half of the
requests go to the candidate, which fails in one way. The arms differ in the fallback and in Envoy's outlier detection
on the candidate's cluster. Clients send open-loop load. Each kind of failure is measured with a new Envoy.

An error is a status other than 200, or an answer that breaks off, stalls or contains an error message. See ADR 0144.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from glidepath.config import parse_config
from glidepath_ops.envoyconfig.bootstrap import render_bootstrap
from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.local.child_process import free_ports
from glidepath_ops.local.redis_and_envoy import start_envoy

BLIP_LENGTH = 5
BLIP = f"{BLIP_LENGTH} x 503, then well"
FAILURES = ("none", "503", "refused", "reset", "no first byte", "breaks off", "stalls", "error in a 200", BLIP)
FIRST_BYTE_S, IDLE_S = 1.0, 2.0
COUNTED_TOGETHER: Json = {
    "consecutive_5xx": 5,
    "interval": "1s",
    "base_ejection_time": "10s",
    "max_ejection_time": "10s",
    "max_ejection_percent": 100,
}
COUNTED_APART: Json = {
    **COUNTED_TOGETHER,
    "split_external_local_origin_errors": True,
    "consecutive_local_origin_failure": 5,
}
ARMS: dict[str, tuple[bool, Json | None]] = {  # name: (fallback, outlier detection)
    "fallback": (True, None),
    "fallback, apart": (True, COUNTED_APART),
    "fallback, together": (True, COUNTED_TOGETHER),
    "none": (False, None),
    "none, together": (False, COUNTED_TOGETHER),
}
ANSWER = json.dumps({"object": "chat.completion", "choices": [{"message": {"content": "Yes."}}]}).encode()
EVENT = b'data: {"choices": [{"delta": {"content": "Yes"}}]}\n\n'
ERROR = b'{"error": {"message": "out of memory"}}'
REQUEST = {"model": "bench", "messages": [{"role": "user", "content": "please " * 40}]}


@dataclass(slots=True)
class Backend:
    """A backend whose answers have one kind of fault: ``failure``, one of FAILURES. ``port`` is 0 before the start."""

    failure: str
    port: int = 0
    requests: int = 0
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def __aenter__(self) -> Backend:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.fail(self.failure)
        return self

    def fail(self, failure: str) -> None:
        """Answer with this fault from now on. A backend that refuses connections cannot change its fault later."""
        self.failure = failure
        if failure == "refused" and self._server is not None:
            self._server.close()
            for writer in self._open:
                writer.transport.abort()

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._open:
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
                self.requests += 1
                if not await self._answer(reader, writer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer a request, and return whether the connection stays open."""
        if self.failure == "reset":
            writer.transport.abort()
            return False
        if self.failure == "no first byte":
            await reader.read()
            return False
        if self.failure in ("breaks off", "stalls"):
            writer.write(_head("200 OK", "text/event-stream", "transfer-encoding: chunked"))
            writer.write(b"%x\r\n%b\r\n" % (len(EVENT), EVENT))
            await writer.drain()
            if self.failure == "breaks off":
                await asyncio.sleep(0.02)
                writer.transport.abort()
            else:
                await reader.read()
            return False
        blip = self.failure == BLIP and self.requests <= BLIP_LENGTH
        status = "503 Service Unavailable" if blip or self.failure == "503" else "200 OK"
        body = ANSWER if self.failure in ("none", BLIP) and not blip else ERROR
        writer.write(_head(status, "application/json", f"content-length: {len(body)}") + body)
        await writer.drain()
        return True


def _head(status: str, kind: str, framing: str) -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{framing}\r\n\r\n".encode()


@dataclass(slots=True)
class Seen:
    """The clients' requests, the number of requests that reached the candidate, and how often Envoy ejected it.

    Latencies are in ms.
    """

    latencies: list[float] = field(default_factory=list)
    errors: int = 0
    at_candidate: int = 0
    ejections: int = 0

    def percentile(self, q: float) -> float:
        return sorted(self.latencies)[max(math.ceil(q * len(self.latencies)) - 1, 0)]


def bootstrap(folder: Path, ports: list[int], baseline: Backend, candidate: Backend, arm: str) -> Json:
    fallback, detect = ARMS[arm]
    limits = {"first_byte_timeout": f"{FIRST_BYTE_S}s", "idle_timeout": f"{IDLE_S}s"}
    backends = {
        "cloud": {"url": f"http://127.0.0.1:{baseline.port}", **limits},
        "onprem": {"url": f"http://127.0.0.1:{candidate.port}", "model": "candidate", **limits},
    }
    chat = {"match": {"path": "/v1/chat/completions"}, "baseline": "cloud", "candidate": "onprem"}
    chat |= {"sticky": {"random": True}}
    envoy = {
        "admin": f"http://127.0.0.1:{ports[0]}",
        "listen": f"127.0.0.1:{ports[1]}",
        "shadow_listen": f"127.0.0.1:{ports[2]}",
    }
    workload = {**chat, "fallback": fallback, "start": 50}
    sections = {"extproc": {"listen": f"unix:{folder}/extproc.sock"}, "envoy": envoy, "backends": backends}
    rendered = render_bootstrap(parse_config(yaml.safe_dump({**sections, "workloads": {"chat": workload}})))
    for cluster in rendered["static_resources"]["clusters"]:
        if cluster["name"] == "onprem":
            cluster.pop("outlier_detection", None)
            cluster.pop("common_lb_config", None)
            if detect is not None:
                cluster["outlier_detection"] = detect
                cluster["common_lb_config"] = {"healthy_panic_threshold": {"value": 0}}
    return rendered


@contextmanager
def running(folder: Path, baseline: Backend, candidate: Backend, arm: str) -> Iterator[tuple[str, str]]:
    """Run Envoy, and yield two URLs: that of the listener for clients, and that of the admin API."""
    ports = free_ports(3)
    path = folder / "envoy.yaml"
    path.write_text(yaml.safe_dump(bootstrap(folder, ports, baseline, candidate, arm)))
    with start_envoy(path, f"http://127.0.0.1:{ports[0]}", folder / "envoy.log", concurrency=1):
        yield f"http://127.0.0.1:{ports[1]}/v1/chat/completions", f"http://127.0.0.1:{ports[0]}"


async def ask(session: aiohttp.ClientSession, url: str, seen: Seen) -> None:
    begun = time.perf_counter()
    try:
        async with session.post(url, json=REQUEST) as response:
            body = await response.read()
            seen.errors += response.status != 200 or b'"error"' in body
    except (aiohttp.ClientError, TimeoutError):
        seen.errors += 1
    seen.latencies.append((time.perf_counter() - begun) * 1000)


async def measure(arm: str, failure: str, requests: int, rate: float) -> Seen:
    seen = Seen()
    timeout = aiohttp.ClientTimeout(total=30)
    connector = aiohttp.TCPConnector(limit=0)
    with tempfile.TemporaryDirectory(prefix="glidepath-bench-") as name:
        async with (
            Backend("none") as baseline,
            Backend(failure) as candidate,
            aiohttp.ClientSession(timeout=timeout, connector=connector) as session,
        ):
            with running(Path(name), baseline, candidate, arm) as (url, admin):
                due = time.perf_counter()
                async with asyncio.TaskGroup() as group:
                    for _ in range(requests):
                        await asyncio.sleep(max(0.0, due - time.perf_counter()))
                        group.create_task(ask(session, url, seen))
                        due += 1 / rate
                async with session.get(
                    f"{admin}/stats?filter=onprem.outlier_detection.ejections_enforced_total"
                ) as got:
                    seen.ejections = int((await got.text()).rpartition(":")[2] or 0)
            seen.at_candidate = candidate.requests
    return seen


def table(results: dict[tuple[str, str], Seen]) -> str:
    columns = "".join(f"{name:>10}" for name in ("errors", "p50 ms", "p90 ms", "p99 ms", "reached", "ejections"))
    rows = [f"{'candidate':<20}{'arm':<20}{columns}"]
    for (failure, arm), seen in results.items():
        latencies = [f"{seen.percentile(q):.0f}" for q in (0.5, 0.9, 0.99)]
        cells = [str(seen.errors), *latencies, str(seen.at_candidate), str(seen.ejections)]
        rows.append(f"{failure:<20}{arm:<20}" + "".join(f"{cell:>10}" for cell in cells))
    return "\n".join(rows)


async def run(requests: int, rate: float) -> dict[tuple[str, str], Seen]:
    results = {}
    for failure in FAILURES:
        for arm in ARMS:
            results[failure, arm] = await measure(arm, failure, requests, rate)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=400, help="number of requests per cell (default 400)")
    parser.add_argument("--rate", type=float, default=100, help="requests per second (default 100)")
    arguments = parser.parse_args()
    results = asyncio.run(run(arguments.requests, arguments.rate))
    print(table(results))
    errors: dict[str, dict[str, Any]] = {}
    for (failure, arm), seen in results.items():
        errors.setdefault(arm, {})[failure] = seen.errors
    print(json.dumps({"bench": "outlier", "requests": arguments.requests, "errors": errors}))


if __name__ == "__main__":
    main()
