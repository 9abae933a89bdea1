"""`make bench-failing-parts`: client errors if the candidate and a part of Glidepath fail at the same moment.

Envoy, extproc, Redis and the scorers are real. Clients send 50 requests/s, half of them to the candidate, without
fallback, because a fallback hides errors. Then one part of Glidepath fails, and at the same moment the candidate. The
table shows the number of failed requests of clients in the ten seconds after that, and the seconds until Envoy sent the
candidate no more requests.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

import aiohttp

from bench.failing_backend import FailingBackend, Failure
from bench.local_system import WORKLOAD, local_config
from bench.steering_process import READY
from glidepath import runtime_keys
from glidepath.config import Config
from glidepath.redis_keys import LEASE, WorkloadKeys
from glidepath.redisio import RedisClient, connect
from glidepath.status_and_decisions import Command, CommandKind, Decision, WorkloadStatus, from_json, to_json
from glidepath_ops.local.child_process import Child
from glidepath_ops.local.services import config_file, local_services, redis_service
from glidepath_ops.local.stack import Stack

ROOT = Path(__file__).parents[1]
RATE, SHARE = 50, 50
WELL_S, FAILING_S, TIMEOUT_S = 4.0, 10.0, 30.0
LIMIT = 40  # errors of clients until the candidate gets no more requests
REQUEST = {"model": "m", "messages": [{"role": "user", "content": "Hello?"}]}


class Part(StrEnum):
    """The part of Glidepath that fails, and how."""

    NONE = "none"
    EXTPROC_KILLED = "extproc killed"
    EXTPROC_FROZEN = "extproc frozen"
    REDIS_FULL = "Redis full"
    REDIS_REFUSES = "Redis refuses writes"
    REDIS_KILLED = "Redis killed"
    REDIS_FROZEN = "Redis frozen"
    LEADER_KILLED = "leader killed, another scorer"


@dataclass(frozen=True, slots=True)
class Row:
    """The result of one case.

    ``errors``: the clients' failed requests. ``back_s``: the seconds from the failure until the candidate got no more
    requests; None if it still got requests at the end.
    """

    part: Part
    failure: Failure
    errors: int
    back_s: float | None


def system_config(folder: Path, cloud: str, onprem: str) -> Config:
    workload = {
        "fallback": False,
        "shadow": {"sample": 0},
        "ramp": {"steps": [SHARE, 100], "hold": "1h", "min_samples": 2, "unjudged_limit": 100},
    }
    return local_config(folder, {"url": cloud}, {"url": onprem}, workload)


@dataclass(slots=True)
class System:
    """A running system whose parts can fail."""

    config: Config
    folder: Path
    stack: Stack
    redis: RedisClient
    http: aiohttp.ClientSession
    onprem: FailingBackend
    scorers: list[Child] = field(default_factory=list)
    errors: int = 0

    async def start_scorer(self) -> None:
        """Start another scorer, and wait until it leads or stands by."""
        name = f"scorer-{len(self.scorers)}"
        command = [sys.executable, "-m", "bench.steering_process", str(config_file(self.folder)), name]
        child = Child(name, command, self.folder / f"{name}.log", cwd=ROOT)
        self.scorers.append(child)

        async def ready() -> bool:
            return child.log.exists() and READY in child.log.read_text(errors="replace").splitlines()

        await until(ready)

    async def leader(self) -> str:
        return (await self.redis.get(LEASE) or b"").decode()

    async def status(self) -> WorkloadStatus | None:
        raw = await self.redis.get(WorkloadKeys(WORKLOAD).status)
        return None if raw is None else from_json(WorkloadStatus, raw)

    async def decisions(self) -> list[Decision]:
        entries = await self.redis.xrange(WorkloadKeys(WORKLOAD).log)
        return [from_json(Decision, fields[b"d"]) for _, fields in entries]

    async def order(self, kind: CommandKind) -> None:
        command = Command(kind, "bench", force=True)
        await self.redis.xadd(WorkloadKeys(WORKLOAD).commands, {"c": to_json(command)})

    async def runtime(self) -> dict[str, str]:
        async with self.http.get(f"{self.config.envoy.admin[0]}/runtime") as answer:
            entries = (await answer.json(content_type=None))["entries"]
        return {key: entry["final_value"] for key, entry in entries.items()}

    async def share(self) -> int:
        """Return the candidate's weight at Envoy in basis points; -1 if the weight cannot be read."""
        with contextlib.suppress(aiohttp.ClientError, KeyError, ValueError):
            return int((await self.runtime())[runtime_keys.weight_key(WORKLOAD, "onprem")])
        return -1

    async def serve_the_share(self) -> None:
        """Start the first scorer, and wait until the candidate serves the share of its first step."""
        await self.start_scorer()
        await until(lambda: self._stands("shadow", 0))
        await self.order(CommandKind.PROMOTE)
        await until(lambda: self._stands("baking", SHARE))

    async def _stands(self, phase: str, percent: float) -> bool:
        status = await self.status()
        return status is not None and (status.phase, status.percent, status.confirmed) == (phase, percent, 1)

    async def ask(self) -> None:
        url = f"http://{self.config.envoy.listen}/v1/chat/completions"
        try:
            async with self.http.post(url, json=REQUEST) as answer:
                await answer.read()
                self.errors += answer.status != 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            self.errors += 1

    async def load(self, seconds: float, stop: asyncio.Event | None = None) -> None:
        """Send requests at a fixed rate, even if answers are late, for ``seconds`` or until ``stop`` is set."""
        async with asyncio.TaskGroup() as group:
            began, number = time.monotonic(), 0
            while time.monotonic() - began < seconds and not (stop and stop.is_set()):
                group.create_task(self.ask())
                number += 1
                await asyncio.sleep(max(began + number / RATE - time.monotonic(), 0))

    def signal(self, name: str, number: signal.Signals) -> None:
        os.killpg(os.getpgid(self.stack.children[name].pid), number)

    async def break_part(self, part: Part) -> None:
        if part in (Part.EXTPROC_KILLED, Part.REDIS_KILLED):
            self.signal(part.split()[0].lower(), signal.SIGKILL)
        elif part in (Part.EXTPROC_FROZEN, Part.REDIS_FROZEN):
            self.signal(part.split()[0].lower(), signal.SIGSTOP)
        elif part is Part.REDIS_FULL:
            await self.redis.config_set("maxmemory", "1")
        elif part is Part.REDIS_REFUSES:  # as with a full disk: no write is accepted
            await self.redis.config_set("min-replicas-to-write", "1")
        elif part is Part.LEADER_KILLED:
            self.scorers[0].kill()

    async def fail(self, part: Part, failure: Failure, after_s: float = FAILING_S) -> Row:
        """Let a part and the candidate fail at the same moment. Return the result for clients.

        Requests are sent for FAILING_S seconds, or until ``after_s`` seconds after the candidate gets no more requests.
        """
        before = self.errors
        await self.break_part(part)
        began, back_s, stop = time.monotonic(), None, asyncio.Event()
        self.onprem.fail(failure)
        loading = asyncio.create_task(self.load(FAILING_S, stop))
        while not loading.done():
            await asyncio.sleep(0.05)
            if back_s is None and await self.share() == 0:
                back_s = round(time.monotonic() - began, 2)
            if back_s is not None and time.monotonic() - began > back_s + after_s:
                stop.set()
        await loading
        return Row(part, failure, self.errors - before, back_s)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = TIMEOUT_S) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - the condition is in another process
            await asyncio.sleep(0.05)


@asynccontextmanager
async def running_system(folder: Path) -> AsyncIterator[System]:
    async with FailingBackend() as cloud, FailingBackend() as onprem:
        config = system_config(folder, cloud.url, onprem.url)
        port = int(str(config.redis.url).rpartition(":")[2].partition("/")[0])
        timeout = aiohttp.ClientTimeout(total=5)
        with Stack() as stack:
            stack.start(redis_service(folder / "redis", port))
            stack.start(*(part for part in local_services(config, folder) if part.name != "scorer"))
            redis = connect(config.redis)
            async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as http:
                system = System(config, folder, stack, redis, http, onprem)
                try:
                    yield system
                finally:
                    for child in (*stack.children.values(), *system.scorers):
                        with contextlib.suppress(ProcessLookupError):
                            os.killpg(os.getpgid(child.pid), signal.SIGCONT)
                    for child in system.scorers:
                        child.stop()
                    await redis.aclose()


async def measure(part: Part, failure: Failure, folder: Path, after_s: float = FAILING_S) -> Row:
    async with running_system(folder) as system:
        await system.serve_the_share()
        if part is Part.LEADER_KILLED:
            await system.start_scorer()
        await system.load(WELL_S)
        if system.errors:
            raise RuntimeError(f"{system.errors} requests failed before anything was broken")
        return await system.fail(part, failure, after_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="*", type=Part, default=list(Part), help="one of: " + ", ".join(Part))
    failures = [Failure.ERRORS, Failure.BREAKS, Failure.REFUSES]
    parser.add_argument("--failures", nargs="*", type=Failure, default=failures, help="one of: " + ", ".join(Failure))
    given = parser.parse_args()
    rows = []
    print(f"{'part':<32}{'candidate':<12}{'errors':>8}{'back after s':>14}")
    for part in given.parts:
        for failure in given.failures:
            with tempfile.TemporaryDirectory(prefix="glidepath-bench-") as name:
                row = asyncio.run(measure(part, failure, Path(name)))
            rows.append(row)
            print(f"{part:<32}{failure:<12}{row.errors:>8}{row.back_s or float('nan'):>14.2f}", flush=True)
    ok = all(row.errors <= LIMIT and row.back_s is not None for row in rows)
    print(json.dumps({"bench": "failing-parts", "ok": ok, "limit": LIMIT, "rows": [asdict(row) for row in rows]}))


if __name__ == "__main__":
    main()
