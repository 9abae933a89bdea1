"""Measure the clients' errors when all of Glidepath's processes are killed and the candidate fails.

``make bench-all-processes-killed`` starts a real Envoy, extproc, scorer and Redis, and gives the candidate half of the
requests. Then it kills extproc, the scorer and Redis, and lets the candidate fail in one way from this moment on. The
arms differ in ``if_lost`` (ADR 0290) and in the fallback. Clients send open-loop load. Each cell, which is an arm with
a kind of failure, has its own processes.

An error is a status other than 200, or an answer that breaks off, stalls or contains an error message. The requests are
back at the baseline when Envoy's runtime no longer has a lease of the split.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from bench.outlier import REQUEST, Backend
from glidepath import runtime_keys
from glidepath.config import Config, parse_config
from glidepath.errors import UnreachableError, error_text
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient, connect
from glidepath.status_and_decisions import Command, CommandKind, WorkloadStatus, from_json, to_json
from glidepath_ops.local.child_process import free_ports
from glidepath_ops.local.own_redis import redis_password_file, start_own_redis
from glidepath_ops.local.services import local_services
from glidepath_ops.local.stack import Stack

FAILURES = ("503", "refused", "reset", "no first byte", "breaks off", "stalls", "error in a 200")
ARMS = {  # name: (fallback, if_lost)
    "fallback, hold": (True, "hold"),
    "fallback, baseline": (True, "baseline"),
    "none, hold": (False, "hold"),
    "none, baseline": (False, "baseline"),
}
LEASE = runtime_keys.lease_key("chat")
BEFORE_S = 3.0  # seconds of load before the processes are killed
AFTER_S = 15.0
POLL_S = 0.05
ATTEMPTS = 3


@dataclass(slots=True)
class Seen:
    """The clients' requests: (seconds since the processes were killed, duration in seconds, whether it failed).

    ``back_s``: the seconds until the lease had ended; None if it did not end, or if there was no lease.
    """

    requests: list[tuple[float, float, bool]] = field(default_factory=list)
    back_s: float | None = None

    @property
    def errors(self) -> int:
        return sum(failed for sent, _, failed in self.requests if sent >= 0)

    @property
    def errors_before(self) -> int:
        return sum(failed for sent, _, failed in self.requests if sent < 0)

    @property
    def errors_after_the_return(self) -> int | None:
        if self.back_s is None:
            return None
        return sum(failed for sent, _, failed in self.requests if sent > self.back_s)

    @property
    def slowest_s(self) -> float:
        return max((took for sent, took, _ in self.requests if sent >= 0), default=0.0)


def bench_config(folder: Path, baseline: Backend, candidate: Backend, arm: str, lost_after: str) -> Config:
    fallback, if_lost = ARMS[arm]
    live, admin, redis, metrics, rtds, more = free_ports(6)
    limits = {"first_byte_timeout": "1s", "idle_timeout": "2s"}
    lease = {"if_lost": "baseline", "lost_after": lost_after} if if_lost == "baseline" else {}
    chat = {
        "match": {"path": "/v1/chat/completions"},
        "baseline": "cloud",
        "candidate": "onprem",
        "sticky": {"random": True},
        "fallback": fallback,
        "ramp": {"steps": [50, 100], "hold": "48h"},
        "shadow": {"sample": 5},
        **lease,
    }
    password = {"file": str(redis_password_file(folder))}
    sections = {
        "envoy": {
            "admin": f"http://127.0.0.1:{admin}",
            "listen": f"127.0.0.1:{live}",
            "shadow_listen": f"unix:{folder}/shadow.sock",
            "rtds_listen": f"127.0.0.1:{rtds}",
            "concurrency": 1,
        },
        "redis": {"url": f"redis://127.0.0.1:{redis}/0", "password": password},
        "extproc": {"listen": f"unix:{folder}/extproc.sock", "metrics": f"127.0.0.1:{metrics}"},
        "scorer": {"metrics": f"127.0.0.1:{more}"},
        "backends": {
            "cloud": {"url": f"http://127.0.0.1:{baseline.port}", **limits},
            "onprem": {"url": f"http://127.0.0.1:{candidate.port}", "model": "candidate", **limits},
        },
        "workloads": {"chat": chat},
    }
    return parse_config(yaml.safe_dump(sections))


class Cell:
    """One running system with its clients."""

    def __init__(self, config: Config, session: aiohttp.ClientSession) -> None:
        self.config, self.session = config, session
        self.url, self.admin = f"http://{config.envoy.listen}/v1/chat/completions", config.envoy.admin[0]
        self.seen, self.killed = Seen(), float("inf")

    async def half_to_the_candidate(self, redis: RedisClient) -> None:
        keys = WorkloadKeys("chat")
        command = Command(CommandKind.PROMOTE, "bench", force=True)
        await self.until(redis, lambda status: status.phase == "shadow" and status.confirmed == 1)
        await redis.xadd(keys.commands, {"c": to_json(command)})
        await self.until(redis, lambda status: status.percent == 50 and status.confirmed == 1)
        if self.config.workload("chat").if_lost == "baseline":
            await self.until(redis, lambda status: status.leases_held == 1)

    @staticmethod
    async def until(redis: RedisClient, condition: Callable[[WorkloadStatus], bool], seconds: float = 60) -> None:
        async with asyncio.timeout(seconds):
            while True:
                raw = await redis.get(WorkloadKeys("chat").status)
                if raw is not None and condition(from_json(WorkloadStatus, raw)):
                    return
                await asyncio.sleep(POLL_S)

    async def load(self, rate: float, seconds: float) -> None:
        due = time.monotonic()
        until = due + seconds
        async with asyncio.TaskGroup() as group:
            while due < until:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                group.create_task(self.ask())
                due += 1 / rate

    async def ask(self) -> None:
        begun, failed = time.monotonic(), False
        try:
            async with self.session.post(self.url, json=REQUEST) as response:
                body = await response.read()
                failed = response.status != 200 or b'"error"' in body
        except (aiohttp.ClientError, TimeoutError):
            failed = True
        self.seen.requests.append((begun, time.monotonic() - begun, failed))

    async def watch_lease(self) -> None:
        while self.seen.back_s is None:
            async with self.session.get(f"{self.admin}/runtime") as response:
                entries = (await response.json(content_type=None))["entries"]
            if not entries.get(LEASE, {}).get("final_value"):
                self.seen.back_s = time.monotonic() - self.killed
            await asyncio.sleep(POLL_S)


async def measure(arm: str, failure: str, rate: float, lost_after: str) -> Seen:
    timeout, connector = aiohttp.ClientTimeout(total=30), aiohttp.TCPConnector(limit=0)
    with tempfile.TemporaryDirectory(prefix="glidepath-bench-") as name, Stack() as stack:
        async with (
            Backend("none") as baseline,
            Backend("none") as candidate,
            aiohttp.ClientSession(timeout=timeout, connector=connector) as session,
        ):
            folder = Path(name)
            config = bench_config(folder, baseline, candidate, arm, lost_after)
            start_own_redis(stack, folder, int(str(config.redis.url).rsplit(":", 1)[1].split("/", maxsplit=1)[0]))
            stack.start(*local_services(config, folder))
            cell, redis = Cell(config, session), connect(config.redis)
            try:
                await cell.half_to_the_candidate(redis)
            finally:
                await redis.aclose()
            await _kill_and_measure(cell, stack, candidate, failure, rate)
            return cell.seen


def measured(arm: str, failure: str, rate: float, lost_after: str) -> Seen:
    """Measure one cell. If the processes are not ready in time, as on a busy machine, start the cell again."""
    for _ in range(ATTEMPTS - 1):
        try:
            return asyncio.run(measure(arm, failure, rate, lost_after))
        except (UnreachableError, TimeoutError) as error:
            print(f"{failure}; {arm}: {error_text(error)}: tried again", file=sys.stderr)
    return asyncio.run(measure(arm, failure, rate, lost_after))


async def _kill_and_measure(cell: Cell, stack: Stack, candidate: Backend, failure: str, rate: float) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(cell.load(rate, BEFORE_S + AFTER_S))
        await asyncio.sleep(BEFORE_S)
        cell.killed = time.monotonic()
        candidate.fail(failure)
        for one, child in stack.children.items():
            if one != "envoy":
                child.kill()
        watching = group.create_task(cell.watch_lease()) if cell.config.workload("chat").if_lost != "hold" else None
        await asyncio.sleep(AFTER_S)
        if watching is not None:
            watching.cancel()
    cell.seen.requests = [(begun - cell.killed, took, failed) for begun, took, failed in cell.seen.requests]


def table(results: dict[tuple[str, str], Seen]) -> str:
    columns = "".join(f"{name:>12}" for name in ("before", "errors", "return s", "after it", "slowest s"))
    rows = [f"{'candidate':<18}{'arm':<22}{columns}"]
    for (failure, arm), seen in results.items():
        back = "never" if seen.back_s is None else f"{seen.back_s:.1f}"
        late = seen.errors_after_the_return
        cells = [str(seen.errors_before), str(seen.errors), back, "–" if late is None else str(late)]
        rows.append(f"{failure:<18}{arm:<22}" + "".join(f"{one:>12}" for one in (*cells, f"{seen.slowest_s:.1f}")))
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=50, help="requests per second (default 50)")
    parser.add_argument("--lost-after", default="10s", help="lost_after of the arms with if_lost: baseline")
    parser.add_argument("--failures", nargs="*", default=FAILURES, choices=FAILURES)
    parser.add_argument("--arms", nargs="*", default=list(ARMS), choices=list(ARMS))
    arguments = parser.parse_args()
    results: dict[tuple[str, str], Seen] = {}
    for failure in arguments.failures:
        for arm in arguments.arms:
            results[failure, arm] = measured(arm, failure, arguments.rate, arguments.lost_after)
            print(table({(failure, arm): results[failure, arm]}).splitlines()[1], flush=True)
    print(table(results))
    backs = [seen.back_s for (_, arm), seen in results.items() if arm.endswith("baseline")]
    late = sum(seen.errors_after_the_return or 0 for seen in results.values())
    summary: dict[str, Any] = {"slowest_return_s": max((one or AFTER_S for one in backs), default=None)}
    errors = {f"{failure}; {arm}": seen.errors for (failure, arm), seen in results.items()}
    print(json.dumps({"bench": "lost", **summary, "errors_after_the_return": late, "errors": errors}))


if __name__ == "__main__":
    main()
