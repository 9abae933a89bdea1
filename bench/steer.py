"""`make bench-steer`: measure one tick of the steer loop with 200 workloads and 20 Envoys, on one core.

The steer loop, the evidence, Redis and the HTTP requests to each Envoy are real. The 20 Envoys are replaced by servers
that only have the admin API (GET /runtime, POST /runtime_modify), in a process of their own. Before each tick, the
entries of a quarter of a second are added to Redis: a flush for every workload, and a scored pair for every fourth one.

In a tick, the loop reads the streams, updates the evidence, judges the gates, decides, compares every Envoy's values,
and writes state and status. The limit applies to CPU time, because other programs may use the machine. Wall time is
printed beside it, with the time for which the process waited for its core. If this wait is short, the limit applies to
the wall time too. The first two seconds do not count, because every gate is then evaluated for the first time. The
rates of requests alternate, so that other load on the machine affects all rates alike.
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
import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry

from glidepath.clock import unix_ms
from glidepath.config import Config
from glidepath.histogram import Histogram
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.pair_scores import ScoredPair
from glidepath.pairs import PairKind
from glidepath.protobuf_codec import encode_outcomes, encode_scored
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import connect
from glidepath.sides import Origin, Side
from glidepath_ops.local.child_process import Child, free_ports
from glidepath_ops.local.redis_and_envoy import start_redis
from scorer.python_gc import limit_garbage_collection
from scorer.steering.envoy.admin_actuator import AdminActuator
from scorer.steering.leader.history_recorder import HistoryRecorder
from scorer.steering.leader.host_clocks import HostClocks
from scorer.steering.leader.lease import Lease
from scorer.steering.leader.redis_store import RedisSteeringStore
from scorer.steering.leader.steer_loop import SteerLoop
from scorer.steering.leader.steer_metrics import SteerMetrics
from scorer.steering.leader.wiring import evidence_kind

LIMIT_MS = 250.0
# (rate, higher rate) → the factor by which the median CPU time of a tick may be higher at the higher rate. At 10
# requests/s, every other flush has no request of the candidate, so a tick has less to do. From 1,000 requests/s on,
# more requests fill few new buckets of a histogram.
GROWTH = {(10, 10_000): 1.3, (1_000, 10_000): 1.15}
QUIET_MS = 10.0
FLUSH_S = 0.25
WARM_UP = 8  # ticks
RATES = (10, 100, 1_000, 10_000)


def config_of_workloads(workloads: int, admin: tuple[str, ...], redis_port: int) -> Config:
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
    """Serve the two paths of Envoy's admin API on every port. Each port has its own runtime values."""
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


class Feed:
    """The source of simulated traffic: ``rate`` requests/s of every workload, a quarter of them at the candidate."""

    def __init__(self, names: list[str], rate: int) -> None:
        rng, flush = np.random.default_rng(7), rate * FLUSH_S
        self.names, self.seq = names, 0
        # They are encoded in advance, because extproc and not the steer loop would encode them. ``flush`` puts a head
        # with the other fields before them: in protobuf, two messages in a row are one message with all fields.
        self.pool = [
            encode_outcomes(
                Outcomes(
                    *("", "", 0, 0, 0),
                    (
                        summary(rng, Side.BASELINE, rng.poisson(flush * 0.75)),
                        summary(rng, Side.CANDIDATE, rng.poisson(flush / 4)),
                    ),
                )
            )
            for _ in range(64)
        ]

    async def flush(self, client: Any, now: int) -> None:
        """Add the entries of a quarter of a second to Redis, with the time ``now`` in Unix milliseconds."""
        pipe = client.pipeline(transaction=False)
        for i, name in enumerate(self.names):
            keys, sides = WorkloadKeys(name), self.pool[(i + self.seq) % len(self.pool)]
            head = encode_outcomes(Outcomes(name, "bench", self.seq, now, now + 1))
            pipe.xadd(keys.outcomes, {"o": head + sides}, maxlen=1000)
            if (self.seq + i) % 4 == 0:
                pair = ScoredPair(f"{self.seq}", name, PairKind.CROSS, now, now, scored=True, agreement=0.9)
                pipe.xadd(keys.results, {"r": encode_scored(pair)}, maxlen=1000)
        await pipe.execute()
        self.seq += 1


def waited_ms() -> float:
    """Return for how many milliseconds this process was ready to run but had no core. Source: /proc/self/schedstat."""
    return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e6


@dataclass(slots=True)
class Costs:
    """The CPU time, the wall time and the wait for a core of each measured tick, in milliseconds."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)  # number of the first workload's requests in each round

    def summary(self, rate: int) -> dict[str, Any]:
        figures: dict[str, Any] = {"rate": rate, "ticks": len(self.cpu)}
        for name, values in (("cpu", self.cpu), ("wall", self.wall), ("waited", self.waited)):
            for label, share in (("p50", 50), ("p95", 95), ("max", 100)):
                figures[f"{name}_ms_{label}"] = round(float(np.percentile(values, share)), 1)
        return {**figures, "requests_seen_per_workload": sum(self.seen)}


async def measure(config: Config, rate: int, ticks: int, costs: Costs, *, with_history: bool) -> None:
    client, names = connect(config.redis), list(config.workloads)
    store, lease = RedisSteeringStore(client, cluster=False, log_retention=1000), Lease(client, "bench", 60)
    metrics, feed = SteerMetrics(CollectorRegistry()), Feed(names, rate)
    actuator = AdminActuator(config.envoy.admin, lease.held)
    # The loop's clock moves by a quarter of a second per tick, so that periodic work is spread evenly even on a busy
    # machine.
    clock = [unix_ms()]
    host = HostClocks(lambda: clock[0], lambda: clock[0])
    history = HistoryRecorder(client, CollectorRegistry()) if with_history else None
    loop = SteerLoop(config, store, lease, lambda _: actuator, evidence_kind(), metrics, host=host, history=history)
    limit_garbage_collection()  # as the scorer does
    async with asyncio.TaskGroup() as group:
        running = group.create_task(actuator.run())
        recording = group.create_task(history.run()) if history is not None else None
        await lease.acquire()
        await loop.take_over_all()
        states = loop.workloads.states
        while not all(len(s.fleet.observation.confirmed) == len(config.envoy.admin) for s in states.values()):
            await lease.renew()
            await loop.tick(names, await loop.read_news(0), actuator)
            await asyncio.sleep(FLUSH_S)
        for number in range(WARM_UP + ticks):
            await lease.renew()
            clock[0] += round(FLUSH_S * 1000)
            await feed.flush(client, clock[0])
            wall, cpu, waited = time.monotonic(), time.process_time(), waited_ms()
            await loop.tick(names, await loop.read_news(0), actuator)
            took = (time.monotonic() - wall) * 1000
            if number >= WARM_UP:
                costs.cpu.append((time.process_time() - cpu) * 1000)
                costs.wall.append(took)
                costs.waited.append(waited_ms() - waited)
            await asyncio.sleep(max(FLUSH_S - took / 1000, 0))
        running.cancel()
        if recording is not None:
            recording.cancel()
    costs.seen.append(sum(side.requests for side in states[names[0]].evidence.sides()))
    await client.aclose()


def run(options: argparse.Namespace, rate: int, folder: Path, costs: Costs) -> None:
    redis_port, *admin_ports = free_ports(options.envoys + 1)
    admin = tuple(f"http://127.0.0.1:{port}" for port in admin_ports)
    command = [sys.executable, "-m", "bench.steer", "--serve", ",".join(map(str, admin_ports))]
    with start_redis(folder, redis_port, "--appendonly", "no"), Child("admins", command, folder / "admins.log"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
        asyncio.run(
            measure(
                config_of_workloads(options.workloads, admin, redis_port),
                rate,
                options.ticks,
                costs,
                with_history=not options.no_history,
            )
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", type=int, default=200, help="number of workloads")
    parser.add_argument("--envoys", type=int, default=20, help="number of Envoys")
    parser.add_argument("--ticks", type=int, default=40, help="number of ticks per round")
    parser.add_argument("--rounds", type=int, default=2, help="number of rounds per rate")
    parser.add_argument("--rates", type=int, nargs="+", default=RATES, help="requests/s of each workload")
    parser.add_argument("--no-history", action="store_true", help="without the history that the console shows")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve_admins([int(p) for p in options.serve.split(",")]))
    else:
        report(options)


def report(options: argparse.Namespace) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    cores, costs = os.sched_getaffinity(0), {rate: Costs() for rate in sorted(options.rates)}
    print(f"{options.workloads} workloads × {options.envoys} Envoys, the steer loop on one core, milliseconds per tick")
    for _ in range(options.rounds):
        for rate, cost in costs.items():
            os.sched_setaffinity(0, cores)  # the child processes may use all cores
            with tempfile.TemporaryDirectory(prefix="glidepath-bench-") as folder:
                run(options, rate, Path(folder), cost)
    results = [cost.summary(rate) for rate, cost in costs.items()]
    for result in results:
        numbers = ", ".join(f"{k} {v}" for k, v in result.items() if k != "rate")
        print(f"{result['rate']:>6} requests/s per workload: {numbers}", flush=True)
    print(json.dumps({"bench": "steer", "limit_ms": LIMIT_MS, **judged(results), "results": results}))


def judged(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the verdict on the CPU time of a tick.

    ``ok``: whether this time is below the limit and grows little with the rate.
    """
    of = {r["rate"]: r for r in results}
    growth = {
        pair: {label: round(of[pair[1]][label] / of[pair[0]][label], 3) for label in ("cpu_ms_p50", "cpu_ms_p95")}
        for pair in GROWTH
        if of.keys() >= set(pair)
    }
    quiet = max(r["waited_ms_p95"] for r in results) < QUIET_MS
    worst = {kind: max(r[f"{kind}_ms_p95"] for r in results) for kind in ("cpu", "wall")}
    fast = max(worst.values() if quiet else (worst["cpu"],)) < LIMIT_MS
    return {
        "ok": fast and all(factors["cpu_ms_p50"] <= GROWTH[pair] for pair, factors in growth.items()),
        "worst_p95_ms": worst,
        "quiet": quiet,
        "growth": {f"{low} to {high}": {**f, "limit": GROWTH[low, high]} for (low, high), f in growth.items()},
    }


if __name__ == "__main__":
    main()
