"""The scorer process: it runs the score loop, the steer loop and the server for health, status and metrics.

SIGTERM shuts it down cleanly. See ADR 0131.
"""

from __future__ import annotations

import asyncio
import os
import socket
import uuid
from typing import Protocol

from prometheus_client import Gauge

from glidepath.check_calibration_files import check_calibrations
from glidepath.config import Config
from glidepath.errors import GlidepathError, first_of
from glidepath.health import health_app, serve_app
from glidepath.logs import get_logger
from glidepath.metric_families import ProcessRegistry
from glidepath.redisio import RedisClient, check, connect
from glidepath.stop_signals import on_stop_signals
from glidepath.telemetry.load_telemetry import SignalsCollector, load_signals
from glidepath.timed_wait import wait_until_set
from scorer.python_gc import limit_garbage_collection
from scorer.scoring.worker.score_loop import ScoreLoop
from scorer.scoring.worker.scoring_process.process_client import BatchScorer
from scorer.status_endpoint import add_status
from scorer.steering.leader.wiring import steer_loop

log = get_logger()

CLOSE_SIGNALS_S = 2.0  # at shutdown, to send the rest to an OpenTelemetry collector


class ScoringTask(Protocol):
    """The methods of the score loop that this process uses."""

    async def run(self, stop: asyncio.Event) -> None: ...

    def readiness(self) -> str: ...


class ScorerService:
    """Runs the score loop and the steer loop side by side. Neither loop waits for the other."""

    def __init__(
        self,
        config: Config,
        *,
        redis_place: str = "redis.url",
        scorer: BatchScorer | None = None,
    ) -> None:
        """Create the service. ``scorer`` may be a scoring process that is already loading its engine.

        ``redis_place`` is the setting or option that contains the Redis URL. Error messages name it. Raises ConfigError
        if a file of ``scoring.calibration`` cannot be read.
        """
        check_calibrations(config)
        self._config, self._redis_place, self._scorer = config, redis_place, scorer
        # Unique to each start, so that this process cannot mistake an earlier process's lease or pairs for its own.
        self.name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self.registry = ProcessRegistry()
        self._worker: ScoringTask | None = None
        self._steer_redis: RedisClient = connect(config.redis)
        self._signals = load_signals(config, "scorer")
        self.registry.register(SignalsCollector(self._signals))
        self._steer = steer_loop(config, self._steer_redis, self.name, self.registry)
        ready = Gauge(
            "glidepath_scorer_ready",
            "1 if this loop of the scorer (scoring or steering) works, whether or not the scorer leads",
            ["loop"],
            registry=self.registry,
        )
        ready.labels("scoring").set_function(lambda: not self._why_not_scoring())
        ready.labels("steering").set_function(lambda: not self._steer.readiness())

    def readiness(self) -> str:
        """Return "" if the scorer is ready, otherwise the reasons why it is not."""
        return "; ".join(reason for reason in (self._why_not_scoring(), self._steer.readiness()) if reason)

    def _why_not_scoring(self) -> str:
        return self._worker.readiness() if self._worker else "the embedding model is being loaded"

    async def run(self, stop: asyncio.Event) -> None:
        """Run until ``stop`` is set.

        Raises UnreachableError if Redis does not answer at the start or if the metrics address is in use. Raises
        ConfigError or DependencyError if the embedding engine cannot be loaded.
        """
        redis = connect(self._config.redis)
        try:
            await check(redis, self._config.redis, self._redis_place)
            app = health_app(self.registry, self.readiness, in_thread=True)
            add_status(app, redis, self._config)
            runner = await serve_app(app, self._config.scorer.metrics, "scorer.metrics")
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._score(redis, stop))
                    group.create_task(self._steer.run(stop))
                    group.create_task(self._send_metrics(stop))
            except BaseExceptionGroup as errors:
                known = errors.subgroup(GlidepathError)
                if known is None:
                    raise
                raise first_of(known) from errors  # report one error instead of a group
            finally:
                await runner.cleanup()
        finally:
            await redis.aclose()
            await self._steer_redis.aclose()
            await asyncio.to_thread(self._signals.close, CLOSE_SIGNALS_S)

    async def _send_metrics(self, stop: asyncio.Event) -> None:
        """Send metrics to the OpenTelemetry collector, if one is configured, until ``stop`` is set."""
        every = self._signals.metrics_every_s
        while every and not await wait_until_set(stop, every):
            self._signals.put_metrics()
        self._signals.put_metrics()

    async def _score(self, redis: RedisClient, stop: asyncio.Event) -> None:
        # The model is loaded and used in a separate process, so steering never waits for it.
        self._worker = ScoreLoop(
            self._config,
            redis,
            self._scorer,
            consumer=self.name,
            registry=self.registry,
            events=self._signals.events,
        )
        try:
            await self._worker.run(stop)
        finally:
            stop.set()  # a client library may swallow a cancellation, and steering must not continue without scoring


async def serve(config: Config, redis_place: str = "redis.url", scorer: BatchScorer | None = None) -> None:
    """Run a scorer. The first SIGTERM, SIGINT or SIGHUP drains it. A later SIGTERM or SIGINT ends it at once.

    ``redis_place`` is the setting or option that contains the Redis URL. Error messages name it.
    """
    stop = asyncio.Event()

    def first() -> None:
        log.info("shutdown_requested")
        stop.set()

    on_stop_signals(asyncio.get_running_loop(), first, lambda: os._exit(130))
    service = ScorerService(config, redis_place=redis_place, scorer=scorer)
    limit_garbage_collection()
    await service.run(stop)
