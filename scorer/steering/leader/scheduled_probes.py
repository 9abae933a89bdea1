"""Probes on schedule, by whoever steers: they keep the baseline warm and tested when it serves nothing.

Beside the steer loop, never in it. Bounded: one round a workload at a time, one prompt of it at a time, so two requests
under way. When the last round was is kept in Redis, so that a change of leader neither repeats nor skips one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog
from prometheus_client import CollectorRegistry, Counter
from redis.exceptions import RedisError

from glidepath.clock import unix_ms
from glidepath.config import Config
from glidepath.errors import GlidepathError, InputError, error_text_with_type
from glidepath.keys import WorkloadKeys
from glidepath.probe.prompts import ProbeRequest, probe_requests
from glidepath.probe.send import Prober, ProbeResult, answer_failure, store_pair
from glidepath.records import Decision, WorkloadStatus, from_json, to_json
from glidepath.redisio import RedisClient, being_cancelled

LOOK_S = 15.0  # longest pause between two looks at Redis; also after an error

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Memory:
    """What is kept between rounds. ``failing``: which sides, in words; "" when both answered."""

    at_ms: int = 0
    next: int = 0
    failing: str = ""


class Memories(Protocol):
    """The edge to Redis. Every call raises RedisError or OSError when it is away."""

    async def recall(self, workload: str) -> Memory: ...
    async def remember(self, workload: str, memory: Memory) -> None: ...
    async def keep(self, probed: ProbeResult) -> bool: ...
    async def note(self, decision: Decision) -> None: ...
    async def status(self, workload: str) -> WorkloadStatus | None: ...


class RedisMemories:
    """``Memories`` on a real Redis."""

    def __init__(self, redis: RedisClient, config: Config) -> None:
        self._redis, self._config = redis, config

    async def recall(self, workload: str) -> Memory:
        raw = await self._redis.hgetall(WorkloadKeys(workload).probes)
        values = {name.decode(): value.decode("utf-8", "replace") for name, value in raw.items()}
        try:
            return Memory(int(values.get("at_ms", 0)), int(values.get("next", 0)), values.get("failing", ""))
        except ValueError:  # somebody's hand: begin afresh
            return Memory()

    async def remember(self, workload: str, memory: Memory) -> None:
        fields: dict[str, str | int] = {"at_ms": memory.at_ms, "next": memory.next, "failing": memory.failing}
        await self._redis.hset(WorkloadKeys(workload).probes, mapping=fields)

    async def keep(self, probed: ProbeResult) -> bool:
        return await store_pair(self._redis, self._config, probed)

    async def note(self, decision: Decision) -> None:
        key = WorkloadKeys(decision.workload).log
        await self._redis.xadd(key, {"d": to_json(decision)}, maxlen=self._config.retention.log, approximate=True)

    async def status(self, workload: str) -> WorkloadStatus | None:
        raw = await self._redis.get(WorkloadKeys(workload).status)
        return None if raw is None else from_json(WorkloadStatus, raw)


class ScheduledProbes:
    """``run`` while leading. ``announce`` tells the team when a side begins to fail its probes, and when it is well."""

    def __init__(
        self,
        config: Config,
        memories: Memories,
        registry: CollectorRegistry,
        announce: Callable[[Decision], None],
        clock_ms: Callable[[], int] = unix_ms,
    ) -> None:
        self._config, self._memories, self._announce, self._clock_ms = config, memories, announce, clock_ms
        self._names = [n for n, w in config.workloads.items() if w.probes is not None and w.probes.every is not None]
        self._sent = Counter(
            "glidepath_probes_total",
            "Probes by outcome: paired, baseline_failed, candidate_failed, both_failed, not_sent",
            ["workload", "outcome"],
            registry=registry,
        )

    async def run(self) -> None:
        """Until cancelled. Raises nothing: what goes wrong is counted, said, and tried again."""
        if not self._names:
            return
        listener = self._config.scorer.probe_via or self._config.envoy.shadow_listen
        async with Prober(self._config, listener) as prober, asyncio.TaskGroup() as group:
            for name in self._names:
                group.create_task(self._keep_probing(prober, name))

    async def _keep_probing(self, prober: Prober, name: str) -> None:
        trouble = ""
        while True:
            try:
                wait_s = await self.turn(prober, name)
            except (RedisError, OSError, GlidepathError) as error:
                wait_s, reason = LOOK_S, error_text_with_type(error)[:300]
                if reason != trouble:
                    log.warning("no_probes", workload=name, reason=reason)
                trouble = reason
            else:
                trouble = ""
            if being_cancelled():
                return
            await asyncio.sleep(min(wait_s, LOOK_S))

    async def turn(self, prober: Prober, name: str) -> float:
        """A round if one is due; the seconds until the next. Raises RedisError, OSError, GlidepathError."""
        probes = self._config.workload(name).probes
        if probes is None or probes.every is None:
            raise InputError(f"workloads.{name}: has no probes on schedule")
        memory, now_ms = await self._memories.recall(name), self._clock_ms()
        left_s = probes.every - (now_ms - memory.at_ms) / 1000
        if 0 < left_s <= probes.every:  # a clock that was set back must not stop the probes
            return left_s
        known = probe_requests(self._config, name)
        # Before the first one is sent: a round that ends its process is not tried again at once, again and again.
        after = Memory(now_ms, (memory.next + probes.count) % max(len(known), 1), memory.failing)
        await self._memories.remember(name, after)
        whys = await self._round(prober, name, due(known, memory.next, probes.count))
        failing = None if whys is None else ", ".join(sorted(whys))
        if failing is not None and failing != memory.failing:
            await self._memories.remember(name, Memory(after.at_ms, after.next, failing))
            await self._tell(name, memory.failing, whys or {})
        return probes.every

    async def _round(self, prober: Prober, name: str, requests: Sequence[ProbeRequest]) -> dict[str, str] | None:
        """Side → why its first failure was one; None when nothing could be asked at all."""
        whys: dict[str, str] = {}
        asked = False
        for request in requests:
            probed = await prober.probe(name, request)
            outcome = outcome_of(probed)
            self._sent.labels(name, outcome).inc()
            if outcome == "not_sent":
                log.warning("probe_not_sent", workload=name, reason=probed.answers[0].error)
                continue
            asked = True
            await self._memories.keep(probed)
            for answer in probed.answers:
                if why := answer_failure(answer):
                    whys.setdefault(f"{answer.side.value} {answer.backend}", why)
        return whys if asked else None

    async def _tell(self, name: str, before: str, failing: Mapping[str, str]) -> None:
        status = await self._memories.status(name)
        percent = status.percent if status else 0.0
        words = "; ".join(f"{side}: {why}" for side, why in sorted(failing.items()))
        reason = f"synthetic probes fail: {words}" if failing else f"synthetic probes are answered again: {before}"
        decision = Decision(
            at_ms=self._clock_ms(),
            workload=name,
            event="probe_failed" if failing else "probe_recovered",
            from_percent=percent,
            to_percent=percent,
            phase=status.phase if status else "",
            reason=reason,
            trigger="probe",
            config_digest=self._config.digest(name),
        )
        await self._memories.note(decision)
        log.info("decision", workload=name, event_kind=decision.event, reason=reason)
        self._announce(decision)


def due(known: Sequence[ProbeRequest], first: int, count: int) -> list[ProbeRequest]:
    """``count`` requests from ``first`` on, around the end, none twice."""
    return [known[(first + i) % len(known)] for i in range(min(count, len(known)))]


def outcome_of(probed: ProbeResult) -> str:
    """The counter's label."""
    if probed.not_sent:
        return "not_sent"
    baseline, candidate = (bool(answer_failure(answer)) for answer in probed.answers)
    if baseline and candidate:
        return "both_failed"
    if baseline:
        return "baseline_failed"
    return "candidate_failed" if candidate else "paired"
