"""Scheduled probes: synthetic requests that keep the baseline warm and tested while it serves no clients.

The leader sends the probes, in tasks alongside the steer loop. A round consists of a few prompts, each of which is sent
to both sides. Each workload has at most one round at a time, and a round sends one prompt at a time, so at most two
probes of a workload run at a time. The time of the last round is kept in Redis, so that a change of leader neither
repeats nor skips a round. See ADR 0091.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter
from redis.exceptions import RedisError

from glidepath.clock import unix_ms
from glidepath.config import Config
from glidepath.errors import GlidepathError, InputError, error_text_with_type
from glidepath.logs import get_logger
from glidepath.probe.prompts import ProbeRequest, probe_requests
from glidepath.probe.send import Prober, ProbeResult, answer_failure, store_pair
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient, being_cancelled
from glidepath.status_and_decisions import Decision, WorkloadStatus, from_json, to_json
from glidepath.writes_to_a_full_redis import add_to_stream

MAX_PAUSE_S = 15.0  # the longest pause between two reads of the progress in Redis; also the pause after an error

log = get_logger()


@dataclass(frozen=True, slots=True)
class ProbeProgress:
    """The progress of a workload's probes, which is kept in Redis between two rounds.

    - ``at_ms``: the Unix time in milliseconds at which the last round began
    - ``next``: the index of the first prompt of the next round
    - ``failing``: the sides that failed in the last round, as text; "" if both sides answered
    """

    at_ms: int = 0
    next: int = 0
    failing: str = ""


class ProbeStore(Protocol):
    """The store that scheduled probes need. Its methods raise RedisError or OSError if Redis fails."""

    async def load(self, workload: str) -> ProbeProgress: ...
    async def save(self, workload: str, progress: ProbeProgress) -> None: ...
    async def add_pair(self, probed: ProbeResult) -> bool: ...
    async def log_decision(self, decision: Decision) -> None: ...
    async def status(self, workload: str) -> WorkloadStatus | None: ...


class RedisProbeStore:
    """The ``ProbeStore`` that uses a real Redis."""

    def __init__(self, redis: RedisClient, config: Config) -> None:
        self._redis, self._config = redis, config

    async def load(self, workload: str) -> ProbeProgress:
        raw = await self._redis.hgetall(WorkloadKeys(workload).probes)
        values = {name.decode(): value.decode("utf-8", "replace") for name, value in raw.items()}
        try:
            return ProbeProgress(int(values.get("at_ms", 0)), int(values.get("next", 0)), values.get("failing", ""))
        except ValueError:  # a person has changed the stored values: begin again
            return ProbeProgress()

    async def save(self, workload: str, progress: ProbeProgress) -> None:
        fields: dict[str, str | int] = {"at_ms": progress.at_ms, "next": progress.next, "failing": progress.failing}
        await self._redis.hset(WorkloadKeys(workload).probes, mapping=fields)

    async def add_pair(self, probed: ProbeResult) -> bool:
        return await store_pair(self._redis, self._config, probed)

    async def log_decision(self, decision: Decision) -> None:
        key = WorkloadKeys(decision.workload).log
        await add_to_stream(self._redis, key, "d", to_json(decision), self._config.retention.log)

    async def status(self, workload: str) -> WorkloadStatus | None:
        raw = await self._redis.get(WorkloadKeys(workload).status)
        return None if raw is None else from_json(WorkloadStatus, raw)


class ScheduledProbes:
    """The task that sends the probes of all workloads while this scorer leads.

    When the probes of a side begin to fail or succeed again, the task calls ``announce`` with a decision about this.
    """

    def __init__(
        self,
        config: Config,
        store: ProbeStore,
        registry: CollectorRegistry,
        announce: Callable[[Decision], None],
        clock_ms: Callable[[], int] = unix_ms,
    ) -> None:
        self._config, self._store, self._announce, self._clock_ms = config, store, announce, clock_ms
        self._names = [n for n, w in config.workloads.items() if w.probes is not None and w.probes.every is not None]
        self._sent = Counter(
            "glidepath_probes_total",
            "Scheduled probes, by outcome: paired, baseline_failed, candidate_failed, both_failed or not_sent",
            ["workload", "outcome"],
            registry=registry,
        )

    async def run(self) -> None:
        """Send probes until cancelled. If a round raises an error, log the error and try again later."""
        if not self._names:
            return
        listener = self._config.scorer.probe_via or self._config.envoy.shadow_listen
        async with Prober(self._config, listener) as prober, asyncio.TaskGroup() as group:
            for name in self._names:
                group.create_task(self._keep_probing(prober, name))

    async def _keep_probing(self, prober: Prober, name: str) -> None:
        last_reason = ""
        while True:
            try:
                wait_s = await self.run_round_if_due(prober, name)
            except (RedisError, OSError, GlidepathError) as error:
                wait_s, reason = MAX_PAUSE_S, error_text_with_type(error)[:300]
                if reason != last_reason:
                    log.warning("probes_skipped", workload=name, reason=reason)
                last_reason = reason
            else:
                last_reason = ""
            if being_cancelled():
                return
            await asyncio.sleep(min(wait_s, MAX_PAUSE_S))

    async def run_round_if_due(self, prober: Prober, name: str) -> float:
        """Run a round of the workload's probes if one is due. Return the seconds until the next round.

        Raises RedisError, OSError or GlidepathError.
        """
        probes = self._config.workload(name).probes
        if probes is None or probes.every is None:
            raise InputError(f"workloads.{name}: has no scheduled probes")
        progress, now_ms = await self._store.load(name), self._clock_ms()
        left_s = probes.every - (now_ms - progress.at_ms) / 1000
        if 0 < left_s <= probes.every:  # a clock that was set back must not stop the probes
            return left_s
        known = probe_requests(self._config, name)
        # Saved before the first probe is sent, so that a round that crashes the process is not repeated at once.
        after = ProbeProgress(now_ms, (progress.next + probes.count) % max(len(known), 1), progress.failing)
        await self._store.save(name, after)
        failures = await self._round(prober, name, due(known, progress.next, probes.count))
        failing = None if failures is None else ", ".join(sorted(failures))
        if failing is not None and failing != progress.failing:
            await self._store.save(name, ProbeProgress(after.at_ms, after.next, failing))
            await self._report(name, progress.failing, failures or {})
        return probes.every

    async def _round(self, prober: Prober, name: str, requests: Sequence[ProbeRequest]) -> dict[str, str] | None:
        """Send the probes of one round. Return each side that failed, with the reason for its first failure.

        Return None if no probe could be sent.
        """
        failures: dict[str, str] = {}
        asked = False
        for request in requests:
            probed = await prober.probe(name, request)
            outcome = outcome_of(probed)
            self._sent.labels(name, outcome).inc()
            if outcome == "not_sent":
                log.warning("probe_not_sent", workload=name, reason=probed.answers[0].error)
                continue
            asked = True
            await self._store.add_pair(probed)
            for answer in probed.answers:
                if why := answer_failure(answer):
                    failures.setdefault(f"{answer.side.value} {answer.backend}", why)
        return failures if asked else None

    async def _report(self, name: str, before: str, failing: Mapping[str, str]) -> None:
        status = await self._store.status(name)
        percent = status.percent if status else 0.0
        reasons = "; ".join(f"{side}: {why}" for side, why in sorted(failing.items()))
        reason = f"synthetic probes fail: {reasons}" if failing else f"synthetic probes succeed again: {before}"
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
        await self._store.log_decision(decision)
        log.info("decision_recorded", workload=name, decision=decision.event, reason=reason)
        self._announce(decision)


def due(known: Sequence[ProbeRequest], first: int, count: int) -> list[ProbeRequest]:
    """Return the requests of the round that is due: ``count`` of the ``known`` requests, from index ``first`` on.

    After the last known request, the round continues with the first one. Each request occurs at most once.
    """
    return [known[(first + i) % len(known)] for i in range(min(count, len(known)))]


def outcome_of(probed: ProbeResult) -> str:
    """Return the value of the label ``outcome`` for a probe, in the counter ``glidepath_probes_total``."""
    if probed.not_sent:
        return "not_sent"
    baseline, candidate = (bool(answer_failure(answer)) for answer in probed.answers)
    if baseline and candidate:
        return "both_failed"
    if baseline:
        return "baseline_failed"
    return "candidate_failed" if candidate else "paired"
