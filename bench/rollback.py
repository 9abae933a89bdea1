"""`make bench-rollback`: measure the time to roll back when every request to the candidate fails.

Envoy, extproc, the scorer and Redis are real, and run as `glidepath up` runs them. Clients send 100 requests/s, and
half of them go to the candidate. In a trial, the candidate first works, then answers every request with a 503 or a
reset. The time begins with the candidate's first bad answer, and ends when the log says that every Envoy has confirmed
weight 0. The table also shows how long the rules of two other tools would take on the same trace if the failure
continued:

- Flagger: a check every 10 s; rollback at the 5th failed check (analysis.interval 10s, threshold 5);
- Argo Rollouts: a measurement every 10 s; rollback when more than 4 in a row fail (consecutiveErrorLimit 4).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp

from glidepath.clock import unix_ms
from glidepath.config import Config, Workload
from glidepath.config.units import parse_duration
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.protobuf_codec import decode_outcomes
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient, connect
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import Command, CommandKind, Decision, GateOutcome, Phase, to_json
from glidepath_ops.demo.backend_processes import backend_services
from glidepath_ops.demo.client_load import Clients, Profile
from glidepath_ops.demo.demo_settings import WORKLOAD, DemoPlan, Ports, demo_config
from glidepath_ops.demo.demo_state import DemoState, StateReader
from glidepath_ops.demo.injected_faults import InjectedFault
from glidepath_ops.demo.written_answers import texts
from glidepath_ops.local.child_process import free_ports
from glidepath_ops.local.own_redis import start_own_redis
from glidepath_ops.local.services import local_services
from glidepath_ops.local.stack import Stack
from scorer.steering.evidence.accumulator import Evidence

SHARE = 50
PEER_INTERVAL_S = 10.0
FLAGGER_THRESHOLD = 5
ARGO_CONSECUTIVE_ERRORS = 4
LIMIT_S = 1.5
GUARD_LIMIT = 10


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of one trial. All times are seconds since the candidate's first bad answer.

    ``bad`` is the number of all bad answers, and ``seen`` is the number of those that were in Redis when the guard
    fired. ``needed`` is the number of bad answers after which the guard would fire if each arrived separately. It
    takes into account the trial's earlier evidence.
    """

    decided_s: float
    confirmed_s: float
    needed: int
    seen: int
    bad: int
    trigger: str
    flagger_s: float
    argo_s: float


def peer_seconds(phase_s: float, checks: int) -> float:
    """Return how many seconds a rule takes if it needs ``checks`` failed checks in a row.

    The failure begins ``phase_s`` seconds after a check, and every later check fails.
    """
    return (PEER_INTERVAL_S - phase_s) + (checks - 1) * PEER_INTERVAL_S


def bench_config(ports: Ports, folder: Path) -> tuple[DemoPlan, Config]:
    plan = DemoPlan(
        profile=Profile(rate=100, prompts=tuple(text.prompt for text in texts())),
        ramp={"steps": [SHARE, 100], "hold": "48h", "min_samples": 200},
        gates={"sameness": {"min_agreement": 0.5}, "errors": {"max_increase": "0.5%"}},
        shadow={"sample": 5, "reverse": 5},
        limit_s=math.inf,
    )
    config = demo_config(plan, ports, folder)
    # The default timing, not the demo's fast timing: 4 summaries per second, a tick of 250 ms.
    defaults = {"flush": parse_duration("250ms")}, {"tick": parse_duration("250ms"), "lease": parse_duration("3s")}
    update = {
        "extproc": config.extproc.model_copy(update=defaults[0]),
        "scorer": config.scorer.model_copy(update=defaults[1]),
    }
    return plan, config.model_copy(update=update)


class Bench:
    def __init__(self, redis: RedisClient, watcher: StateReader, workload: Workload) -> None:
        self.workload, self.redis, self.watcher = workload, redis, watcher
        self.keys = WorkloadKeys(WORKLOAD)
        self.began_ms = unix_ms()

    async def order(self, kind: CommandKind, **options: Any) -> None:
        await self.redis.xadd(self.keys.commands, {"c": to_json(Command(kind, "bench", **options))})

    async def until(self, condition: Callable[[DemoState], bool], seconds: float = 30) -> DemoState:
        async with asyncio.timeout(seconds):
            return await self.watcher.until(condition)

    async def trial(self, rng: random.Random) -> Trial:
        await self.watcher.put_fault(InjectedFault.NONE)
        await self.until(lambda seen: seen.phase in (Phase.SHADOW, Phase.COOLING_DOWN))
        if self.watcher.seen.phase == Phase.COOLING_DOWN:
            await self.order(CommandKind.RETRY, force=True)
            await self.until(lambda seen: seen.phase == Phase.SHADOW)
        await self.order(CommandKind.PROMOTE, force=True)
        await self.until(lambda seen: seen.phase == Phase.BAKING and seen.percent == SHARE)
        await asyncio.sleep(3 + rng.random())
        before = len(self.watcher.seen.decisions)
        await self.watcher.put_fault(InjectedFault.ERRORS)
        await self.until(lambda seen: any(d.event == "rollback_confirmed" for d in seen.decisions[before:]))
        await asyncio.sleep(1)  # so that the answers in flight arrive
        news = self.watcher.seen.decisions[before:]
        decided = next(d for d in news if d.event == "rollback" and not d.trigger.startswith("command:"))
        confirmed = next(d for d in news if d.event == "rollback_confirmed" and d.to_percent == 0)
        return await self._result(decided, confirmed)

    async def _result(self, decided: Decision, confirmed: Decision) -> Trial:
        async with self.watcher.http.get(f"{self.watcher.candidate_url}/control/state") as response:
            state = await response.json()
        first = int(state["first_bad_ms"])
        phase = ((first - self.began_ms) / 1000) % PEER_INTERVAL_S
        return Trial(
            decided_s=round((decided.at_ms - first) / 1000, 3),
            confirmed_s=round((confirmed.at_ms - first) / 1000, 3),
            needed=await self._needed(first),
            seen=await self._errors_known(first, decided.at_ms),
            bad=int(state["bad"]),
            trigger=decided.trigger,
            flagger_s=round(peer_seconds(phase, FLAGGER_THRESHOLD), 1),
            argo_s=round(peer_seconds(phase, ARGO_CONSECUTIVE_ERRORS + 1), 1),
        )

    async def _needed(self, first_ms: int) -> int:
        evidence = Evidence.fresh(self.workload, SHARE, first_ms - 2500)
        for _, fields in await self.redis.xrange(self.keys.outcomes, first_ms - 2500, first_ms - 1):
            evidence = evidence.fold_outcomes(decode_outcomes(fields[b"o"]))
        for count in range(1, 1000):
            at_ms = first_ms + count * 250
            failed = SideOutcomes(Side.CANDIDATE, Origin.LIVE, requests=1, errors=1, error_kinds={"status_503": 1})
            fine = SideOutcomes(Side.BASELINE, Origin.LIVE, requests=1)
            evidence = evidence.fold_outcomes(Outcomes(WORKLOAD, "replay", count, at_ms - 250, at_ms, (failed, fine)))
            if any(v.fast and v.outcome == GateOutcome.FAIL.value for v in evidence.verdicts(at_ms)):
                return count
        return -1

    async def _errors_known(self, first_ms: int, decided_ms: int) -> int:
        """Return the candidate's live errors in the summaries that were in Redis when the guard fired."""
        entries = await self.redis.xrange(self.keys.outcomes, first_ms, decided_ms)
        return sum(
            side.errors
            for _, fields in entries
            for side in decode_outcomes(fields[b"o"]).sides
            if side.side is Side.CANDIDATE and side.origin is Origin.LIVE
        )


async def run(trials: int, config: Config, plan: DemoPlan, ports: Ports) -> tuple[list[Trial], Clients]:
    rng, redis, stop = random.Random(7), connect(config.redis), asyncio.Event()
    clients = Clients(f"http://{config.envoy.listen}", plan.profile, random.Random(11))
    results: list[Trial] = []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http, asyncio.TaskGroup() as group:
        watcher = StateReader(redis, http, config.envoy.admin[0], f"http://127.0.0.1:{ports.candidate}")
        bench = Bench(redis, watcher, config.workload(WORKLOAD))
        group.create_task(clients.run(stop))
        try:
            for number in range(trials):
                results.append(await bench.trial(rng))
                print(f"trial {number + 1:>2}: {asdict(results[-1])}", flush=True)
        finally:
            stop.set()
    await redis.aclose()
    return results, clients


def percentile(values: list[float], q: float) -> float:
    return sorted(values)[max(math.ceil(q * len(values)) - 1, 0)]


def report(results: list[Trial], clients: Clients) -> None:
    confirmed = [t.confirmed_s for t in results]
    rows = [
        ("Glidepath, decided", [t.decided_s for t in results]),
        ("Glidepath, confirmed", confirmed),
        ("Flagger 10 s × 5", [t.flagger_s for t in results]),
        ("Argo 10 s, limit 4", [t.argo_s for t in results]),
    ]
    given = statistics.mean(t.bad for t in results)
    print(f"\n{'seconds from the first bad answer':<34}{'p50':>8}{'p95':>8}{'max':>8}{'bad answers':>14}")
    for name, values in rows:
        bad = given if name.startswith("Glidepath") else statistics.mean(values) * SHARE
        numbers = (statistics.median(values), percentile(values, 0.95), max(values))
        print(f"{name:<34}" + "".join(f"{n:>8.2f}" for n in numbers) + f"{bad:>14.0f}")
    needed, seen = [t.needed for t in results], [t.seen for t in results]
    print(f"bad answers that the guard needs: {min(needed)} to {max(needed)} (bound: {GUARD_LIMIT})")
    print(f"in Redis when it fired: {min(seen)} to {max(seen)}; in total: at most {max(t.bad for t in results)}")
    print(f"clients: {clients.stats.requests} requests, {clients.stats.errors} failed")
    ok = percentile(confirmed, 0.95) < LIMIT_S and max(needed) <= GUARD_LIMIT
    summary = {"confirmed_p50_s": statistics.median(confirmed), "confirmed_p95_s": percentile(confirmed, 0.95)}
    print(json.dumps({"bench": "rollback", "ok": ok, "trials": len(results), **summary, "needed_max": max(needed)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20, help="number of rollbacks to measure")
    trials = parser.parse_args().trials
    with tempfile.TemporaryDirectory(prefix="glidepath-bench-") as name, Stack() as stack:
        folder, ports = Path(name), Ports(*free_ports(7))
        plan, config = bench_config(ports, folder)
        start_own_redis(stack, folder, ports.redis)
        stack.start(*backend_services(plan, ports, folder))
        stack.start(*local_services(config, folder))
        report(*asyncio.run(run(trials, config, plan, ports)))


if __name__ == "__main__":
    main()
