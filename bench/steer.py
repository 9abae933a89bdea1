"""`make bench-steer`: what one tick of the steer loop costs with 200 workloads and 20 Envoys, on one core.

Real: the steer loop, the evidence, Redis, HTTP to each Envoy. Stand-ins: the 20 Envoys are admin servers (GET /runtime,
POST /runtime_modify) in a process of their own, and extproc is a feeder, in another one, that writes what extproc
writes: a summary of every workload four times a second, whatever the request rate, and one scored pair a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import redis.asyncio
import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry

from glidepath.config import Config
from glidepath.domain import Origin, Outcomes, PairKind, ScoredPair, Side, SideOutcomes
from glidepath.histogram import Histogram
from glidepath.keys import WorkloadKeys
from glidepath.local.process import Child, free_ports
from glidepath.local.servers import start_redis
from glidepath.records import WorkloadStatus, from_json
from glidepath.redisio import connect
from glidepath.wire import encode_outcomes, encode_scored
from scorer.steer.admin import AdminActuator
from scorer.steer.compose import evidence_kind
from scorer.steer.lease import Lease
from scorer.steer.loop import SteerLoop
from scorer.steer.metrics import SteerMetrics
from scorer.steer.store import RedisStore

LIMIT_MS = 250.0
FLUSH_S = 0.25
RATES = (10, 10_000)


def config_of(workloads: int, admin: tuple[str, ...], redis_port: int) -> Config:
    return Config.model_validate(
        {
            "envoy": {"admin": list(admin)},
            "redis": {"url": f"redis://127.0.0.1:{redis_port}/0"},
            "backends": {"cloud": {"url": "http://127.0.0.1:9001"}, "onprem": {"url": "http://127.0.0.1:9002"}},
            "workloads": {
                f"w{i:03}": {
                    "match": {"path": f"/v1/{i}"},
                    "baseline": "cloud",
                    "candidate": "onprem",
                    "start": 25,
                    "gates": {"errors": {"max_increase": "5%"}},
                }
                for i in range(workloads)
            },
        }
    )


async def serve_admins(ports: list[int]) -> None:
    """Envoy's two admin paths, each server with a runtime of its own."""
    for port in ports:
        app, values = web.Application(client_max_size=2**20), {}

        async def runtime(_: web.Request, values: dict[str, str] = values) -> web.Response:
            entries = {k: {"layer_values": ["", v], "final_value": v} for k, v in values.items()}
            return web.json_response({"layers": ["file", "admin"], "entries": entries})

        async def modify(request: web.Request, values: dict[str, str] = values) -> web.Response:
            values.update({k: str(v) for k, v in (await request.post()).items()})
            for key in [k for k, v in values.items() if not v]:
                del values[key]
            return web.Response(text="OK\n")

        app.add_routes([web.get("/runtime", runtime), web.post("/runtime_modify", modify)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


def summary(rng: np.random.Generator, side: Side, requests: int) -> SideOutcomes:
    latency = Histogram.of(rng.lognormal(4, 0.5, requests))
    return SideOutcomes(side, Origin.LIVE, requests=requests, latency_ms=latency, ttft_ms=latency)


async def feed(port: int, workloads: int, rate: int) -> None:
    """Summaries of ``rate`` requests/s of every workload, a quarter of them at the candidate."""
    client, rng, seq = redis.asyncio.from_url(f"redis://127.0.0.1:{port}/0"), np.random.default_rng(7), 0
    flush = max(rate * FLUSH_S, 1)
    every = max(FLUSH_S, 1 / rate)
    pool = [
        (summary(rng, Side.BASELINE, round(flush * 0.75)), summary(rng, Side.CANDIDATE, max(round(flush * 0.25), 1)))
        for _ in range(16)
    ]
    while True:
        began = time.monotonic()
        now = time.time_ns() // 1_000_000
        pipe = client.pipeline(transaction=False)
        for i in range(workloads):
            name = f"w{i:03}"
            keys = WorkloadKeys(name)
            outcomes = Outcomes(name, "bench", seq, now - 250, now, pool[(i + seq) % 16])
            pipe.xadd(keys.outcomes, {"o": encode_outcomes(outcomes)}, maxlen=1000)
            if seq % 4 == 0:
                pair = ScoredPair(f"{seq}", name, PairKind.CROSS, now, now, scored=True, agreement=0.9)
                pipe.xadd(keys.results, {"r": encode_scored(pair)}, maxlen=1000)
        await pipe.execute()
        seq += 1
        await asyncio.sleep(max(every - (time.monotonic() - began), 0.01))


@dataclass
class Recorder:
    """Stands in for the tick histogram: wall time of each pass, and all CPU since the one before, reading included."""

    wall_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    cpu: float = 0.0

    def observe(self, seconds: float) -> None:
        cpu = time.process_time()
        self.wall_ms.append(seconds * 1000)
        self.cpu_ms.append((cpu - self.cpu) * 1000)
        self.cpu = cpu

    def begin(self) -> None:
        self.wall_ms.clear()
        self.cpu_ms.clear()
        self.cpu = time.process_time()


async def measure(config: Config, seconds: float) -> dict[str, Any]:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    client, stop, recorder = connect(config.redis), asyncio.Event(), Recorder()
    metrics = SteerMetrics(CollectorRegistry())
    metrics.tick = recorder  # type: ignore[assignment]
    store = RedisStore(client, cluster=False, log_retention=1000)
    lease = Lease(client, "bench", 3)
    loop = SteerLoop(config, store, lease, lambda may: AdminActuator(config.envoy.admin, may), evidence_kind(), metrics)
    names = list(config.workloads)
    async with asyncio.TaskGroup() as group:
        group.create_task(loop.run(stop))
        await _all_confirmed(client, names, len(config.envoy.admin))
        await asyncio.sleep(2)
        recorder.begin()
        began, cpu = time.monotonic(), time.process_time()
        await asyncio.sleep(seconds)
        wall, used = time.monotonic() - began, time.process_time() - cpu
        status = from_json(WorkloadStatus, await client.get(WorkloadKeys(names[0]).status))
        stop.set()
    await client.aclose()
    return {
        "passes_per_s": round(len(recorder.wall_ms) / wall, 1),
        "tick_ms_p50": round(float(np.median(recorder.wall_ms)), 1),
        "tick_ms_p95": round(float(np.percentile(recorder.wall_ms, 95)), 1),
        "tick_ms_max": round(max(recorder.wall_ms), 1),
        "cpu_ms_a_pass_p95": round(float(np.percentile(recorder.cpu_ms, 95)), 1),
        "core_used": round(used / wall, 3),
        "confirmed": f"{status.confirmed} of {status.envoys}",
        "requests_seen": status.candidate.requests + status.baseline.requests,
    }


async def _all_confirmed(client: Any, names: list[str], envoys: int) -> None:
    async with asyncio.timeout(60):
        while True:
            raws = await client.mget([WorkloadKeys(n).status for n in names])
            if all(r is not None and from_json(WorkloadStatus, r).confirmed == envoys for r in raws):
                return
            await asyncio.sleep(0.2)


def run(workloads: int, envoys: int, seconds: float, rate: int, folder: Path) -> dict[str, Any]:
    redis_port, *admin_ports = free_ports(envoys + 1)
    admin = tuple(f"http://127.0.0.1:{port}" for port in admin_ports)
    me = [sys.executable, "-m", "bench.steer"]
    with (
        start_redis(folder, redis_port, "--appendonly", "no"),
        Child("admins", [*me, "--serve", ",".join(map(str, admin_ports))], folder / "admins.log"),
        Child(
            "feeder",
            [*me, "--feed", str(redis_port), "--workloads", str(workloads), "--rate", str(rate)],
            folder / "f.log",
        ),
    ):
        return {"rate": rate, **asyncio.run(measure(config_of(workloads, admin, redis_port), seconds))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workloads", type=int, default=200)
    parser.add_argument("--envoys", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--feed", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--rate", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if options.serve:
        os.sched_setaffinity(0, cores[1:] or cores)
        asyncio.run(serve_admins([int(p) for p in options.serve.split(",")]))
    elif options.feed:
        os.sched_setaffinity(0, cores[1:] or cores)
        asyncio.run(feed(options.feed, options.workloads, options.rate))
    else:
        report(options, cores)


def report(options: argparse.Namespace, cores: list[int]) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    results = []
    print(f"{options.workloads} workloads × {options.envoys} Envoys, the steer loop on one core")
    for rate in RATES:
        with tempfile.TemporaryDirectory(prefix="glidepath-bench-") as folder:
            os.sched_setaffinity(0, cores)  # children inherit it, then move to the other cores
            results.append(run(options.workloads, options.envoys, options.seconds, rate, Path(folder)))
        print(
            f"{rate:>6} requests/s a workload: " + ", ".join(f"{k} {v}" for k, v in results[-1].items() if k != "rate")
        )
    worst = max(r["tick_ms_max"] for r in results)
    print(json.dumps({"bench": "steer", "limit_ms": LIMIT_MS, "ok": worst < LIMIT_MS, "results": results}))


if __name__ == "__main__":
    main()
