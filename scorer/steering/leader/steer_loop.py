"""The steer loop: hold the lease, take in the news, decide, write it down, tell the Envoys.

What is decided is written to Redis, behind the fencing token, *before* it is told to any Envoy; what an Envoy shows is
compared on every tick. So a leader that dies anywhere leaves either the old weights, or new ones that its successor
knows about. News wakes the loop: the way from a fault to the weights is not a tick longer than it must be.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping

import structlog
from redis.exceptions import RedisError

from glidepath.clock import unix_ms
from glidepath.config import Config
from glidepath.errors import error_text, error_text_with_type, first_of
from glidepath.records import Decision, Phase, to_json
from glidepath.redisio import being_cancelled
from glidepath.timed_wait import wait_until_set
from scorer.steering.envoy.actuator import Actuator, ListenError, MayWrite
from scorer.steering.envoy.runtime_values import RuntimeEntries, RuntimeValues
from scorer.steering.interfaces import Alone, Beside, EvidenceKind, Loads, Sink, Watch
from scorer.steering.leader.lease import Lease
from scorer.steering.leader.steer_metrics import SteerMetrics
from scorer.steering.staggering import is_due
from scorer.steering.state_store import FencedError, News, OwnedError, Record, Store
from scorer.steering.workload.clock_offsets import RedisTimes
from scorer.steering.workload.safe_mode import lifeline
from scorer.steering.workload.surroundings import Outlook
from scorer.steering.workload.takeover import taken_up
from scorer.steering.workload.workload import Track
from scorer.steering.workload.workload_status import status_of

GAP_S = 0.02  # news does not wake the loop more often than this: what comes within it is taken in together
YIELD_EVERY = 20  # workloads
SETTLE_S = 0.25  # how long a tick waits for Envoys to answer
CHECKPOINT_MS = 5_000  # evidence is kept this often, and with every decision; the streams replay the rest
STATUS_MS = 1_000
MEMORY_S = 10.0  # so long after its term a leader's own memory may stand in for a state that Redis has lost
STALE_MS = 10_000  # so long a former leader's last weights are not taken for a curl
NO_NEWS = News()

log = structlog.get_logger()


class SteerLoop:
    """Runs in every scorer; acts in the one that holds the lease."""

    def __init__(
        self,
        config: Config,
        store: Store,
        lease: Lease,
        actuator: Callable[[MayWrite], Actuator],
        kind: EvidenceKind,
        metrics: SteerMetrics,
        *,
        sinks: Iterable[Sink] = (),
        loads: Loads | None = None,
        beside: Beside | None = None,
        watch: Watch | None = None,
        clock_ms: Callable[[], int] = unix_ms,
    ) -> None:
        self._config, self._store, self._lease, self._kind = config, store, lease, kind
        self._make_actuator, self._metrics, self._clock_ms = actuator, metrics, clock_ms
        self._sinks, self._loads, self._beside, self._watch = tuple(sinks), loads, beside, watch or Alone()
        self.tracks: dict[str, Track] = {}
        self._status_turn: dict[str, int] = {}
        self._blob_turn: dict[str, int] = {}
        self._inherited: dict[str, frozenset[RuntimeValues]] = {}
        self._redis_time = RedisTimes(config.workloads, clock_ms)
        self._born: set[str] = set()  # workloads of which no state was found in this term
        self._unknown_weights: frozenset[str] = frozenset()
        self._admin_layers: Mapping[str, RuntimeEntries | None] = {}
        self._took_over_ms = 0
        self._led_until = -MEMORY_S
        self._redis_down = ""

    def readiness(self) -> str:
        """ "" when this scorer steers or could; else why not."""
        return self._redis_down

    async def run(self, stop: asyncio.Event) -> None:
        """Contend for the lease and steer while holding it, until ``stop``."""
        async with asyncio.TaskGroup() as group:
            for sink in self._sinks:
                group.create_task(sink.run(stop))
            await self._contend(stop)

    async def _contend(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                if await self._lease.acquire():
                    await self._term(stop)
                else:
                    await self._watch.stand_by()
                self._redis_down = ""
            except* (RedisError, OSError, ListenError) as group:
                self._say_down(first_of(group))
            finally:
                self._metrics.leader.set(0)
            await wait_until_set(stop, self._lease.duration / 4)

    def _say_down(self, error: Exception) -> None:
        text = error_text(error)
        reason = text if isinstance(error, ListenError) else f"Redis: {text}"
        if not self._redis_down:
            log.warning("cannot_steer", reason=reason, effect="weights stay as they are")
        self._redis_down = reason

    async def _term(self, stop: asyncio.Event) -> None:
        """One term as the leader."""
        log.info("leading", owner=self._lease.owner, fence=self._lease.fence)
        self._metrics.leader.set(1)
        actuator = self._make_actuator(self._lease.held)
        try:
            async with asyncio.TaskGroup() as group:
                helpers = [group.create_task(actuator.run()), group.create_task(self._renew())]
                if self._loads is not None:
                    helpers.append(group.create_task(self._loads.run()))
                if self._beside is not None:
                    helpers.append(group.create_task(self._beside.run()))
                try:
                    await self._redis_time.ask(self._store.clocks_ms)
                    await self._watch.lead(now=True)
                    await self._load()
                    await self._lead(actuator, stop)
                finally:
                    for helper in helpers:
                        helper.cancel()
        finally:
            self._lease.drop()
            self._led_until = time.monotonic()
            with contextlib.suppress(RedisError, OSError):
                await self._lease.release()
            log.info("not_leading", owner=self._lease.owner, fence=self._lease.fence)

    async def _renew(self) -> None:
        """Keep the lease; while Redis does not answer, it runs out by itself."""
        while not being_cancelled():
            await asyncio.sleep(self._lease.duration / 4)
            try:
                if not await self._lease.renew():
                    return
                await self._redis_time.ask(self._store.clocks_ms)
                await self._watch.lead()
                self._redis_down = ""
            except (RedisError, OSError) as error:
                self._say_down(error)

    async def _load(self) -> None:
        """Everything from Redis, anew in each term: another leader may have gone on since ours."""
        now_ms = self._clock_ms()
        former = self.tracks if time.monotonic() - self._led_until < MEMORY_S else {}
        self._born = set()
        self.tracks, self._inherited, self._status_turn, self._blob_turn = {}, {}, {}, {}
        self._took_over_ms = now_ms
        for name in self._ours():
            await self._load_one(name, now_ms, former.get(name))
        if self._born == set(self._config.workloads):  # a workload that is new among others is just new
            for name in self._born:
                self.tracks[name].start(self._redis_time.at(name, now_ms), first_start=True)

    def _ours(self) -> list[str]:
        """The workloads of the file but those that another group steers."""
        return [name for name in self._config.workloads if name not in self._watch.foreign]

    async def _share(self) -> None:
        """Leave alone what another group has taken, take up what it has left."""
        for name in self._watch.foreign.keys() & self.tracks.keys():
            del self.tracks[name]
        for name in self._ours():
            if name not in self.tracks:
                await self._load_one(name, self._clock_ms())

    async def _load_one(self, name: str, now_ms: int, former: Track | None = None) -> None:
        at_ms = self._redis_time.at(name, now_ms)
        track, born = await taken_up(name, self._config, self._kind, self._store, at_ms, former)
        if born:
            self._born.add(name)
        self.tracks[name] = track
        self._inherited[name] = frozenset({track.desired})

    async def _lead(self, actuator: Actuator, stop: asyncio.Event) -> None:
        again: set[str] = set()
        full = False
        next_tick = last = 0.0
        while self._lease.held() and not stop.is_set():
            await self._share()
            await asyncio.sleep(max(last + GAP_S - time.monotonic(), 0.0))
            wait_s = 0.0 if again or full else max(next_tick - time.monotonic(), 0.0)
            news = await self._news(wait_s)
            started = time.monotonic()
            due = started >= next_tick
            if due:
                next_tick = started + self._config.scorer.tick
            names = list(self.tracks) if due else sorted((again | set(news)) & self.tracks.keys())
            full = any(n.full for n in news.values())
            again = await self._tick(names, news, actuator)
            last = time.monotonic()
            self._metrics.tick.observe(last - started)

    async def _news(self, wait_s: float) -> Mapping[str, News]:
        cursors = {name: track.cursors for name, track in self.tracks.items()}
        if not cursors:
            await asyncio.sleep(self._config.scorer.tick)
        return await self._store.news(cursors, max(round(wait_s * 1000), 0))

    async def _tick(self, names: Iterable[str], news: Mapping[str, News], actuator: Actuator) -> set[str]:
        """Returns the workloads whose Envoys were written to: they are looked at again at once."""
        readings, self._unknown_weights, self._admin_layers = (
            actuator.readings(),
            actuator.envoys_with_unknown_weights(),
            actuator.admin_layers(),
        )
        now_ms = self._clock_ms()
        records: dict[str, Record] = {}
        writes: dict[str, Mapping[str, RuntimeEntries]] = {}
        for number, name in enumerate(names):
            if number % YIELD_EVERY == YIELD_EVERY - 1:
                await asyncio.sleep(0)  # the lease is renewed in between, however long the tick
            try:
                records[name], writes[name] = self._one(self.tracks[name], news.get(name, NO_NEWS), readings, now_ms)
            except Exception as bug:  # one workload's bug must not stop the others
                self._failed(name, bug)
                records[name], writes[name] = self._cripple(self.tracks[name], readings, now_ms)
        failed = await self._store.write(self._lease.fence, records)
        for name, error in failed.items():
            if isinstance(error, FencedError):
                self._lease.drop()
                await self._lease.catch_up(error.fence)
                log.error("fenced", workload=name, effect="a newer leader steers; this one stops")
                return set()
            if isinstance(error, OwnedError):
                self._watch.taken(name, error.group)
                continue
            self._failed(name, error)
            await self._load_one(name, now_ms)  # what could not be written down was not decided
        told = await self._tell({n: w for n, w in writes.items() if n not in failed}, actuator)
        self._announce(d for n, record in records.items() if n not in failed for d in record.decisions)
        return told

    def _one(
        self, track: Track, news: News, readings: Mapping[str, RuntimeEntries | None], here_ms: int
    ) -> tuple[Record, Mapping[str, RuntimeEntries]]:
        now_ms = self._redis_time.at(track.name, here_ms)
        track.here_ms = here_ms - now_ms
        track.fold(news)
        before = track.state, track.orders, track.last_written
        try:
            done = self._decide(track, readings, here_ms, now_ms)
        except Exception:
            track.state, track.orders, track.last_written = before  # what was not written down was not decided
            raise
        track.problem = ""
        return done

    def _decide(
        self, track: Track, readings: Mapping[str, RuntimeEntries | None], here_ms: int, now_ms: int
    ) -> tuple[Record, Mapping[str, RuntimeEntries]]:
        decisions = track.decide(readings, self._outlook(track, here_ms), now_ms)
        writes = track.writes(readings)
        dirty, track.dirty = track.dirty, False
        due = is_due(self._blob_turn, track.name, now_ms, CHECKPOINT_MS)
        blob = track.blob() if dirty or due else None
        status = None
        changed, track.changed = track.changed, False
        if is_due(self._status_turn, track.name, now_ms, STATUS_MS) or changed:
            self._metrics.show(track)
            status = to_json(status_of(track, self._lease.owner, now_ms))
        return Record(blob, status, decisions), writes

    def _cripple(
        self, track: Track, readings: Mapping[str, RuntimeEntries | None], here_ms: int
    ) -> tuple[Record, Mapping[str, RuntimeEntries]]:
        now_ms = self._redis_time.at(track.name, here_ms)
        try:
            return lifeline(track, readings, self._lease.owner, now_ms, admin_layers=self._admin_layers)
        except Exception as worse:  # and not the others because of this one
            log.exception("lifeline_failed", workload=track.name, exc_info=worse)
            return Record(), {}

    def _outlook(self, track: Track, now_ms: int) -> Outlook:
        waiting = [name for name in track.workload.after if not self._arrived(name)]
        target = track.policy.next_step(track.state.percent)
        verdict = None
        if self._loads is not None and target is not None:
            verdict = self._loads.verdict(track.name, track.state.percent, track.state.shadow_override)
        stale = self._inherited.get(track.name, frozenset()) if now_ms - self._took_over_ms < STALE_MS else frozenset()
        return Outlook(", ".join(waiting), verdict, stale, self._unknown_weights, self._admin_layers)

    def _arrived(self, name: str) -> bool:
        """A workload is done, for those that come after it, once it serves its last step."""
        track = self.tracks.get(name)
        return track is not None and track.state.phase in (Phase.VALIDATING, Phase.COMPLETED)

    def _failed(self, name: str, error: Exception) -> None:
        track = self.tracks[name]
        if not track.problem:
            log.error("workload_failed", workload=name, exc_info=error)
        track.problem = f"internal error, weights stay: {error_text_with_type(error)}"
        track.dirty = True
        self._metrics.errors.labels(name).inc()

    async def _tell(self, writes: Mapping[str, Mapping[str, RuntimeEntries]], actuator: Actuator) -> set[str]:
        """One POST an Envoy with the keys of all workloads that need one."""
        together: dict[str, dict[str, str]] = {}
        for by_envoy in writes.values():
            for envoy, values in by_envoy.items():
                together.setdefault(envoy, {}).update(values)
        if not together or not self._lease.held():
            return set()
        actuator.submit(together)
        await actuator.settle(SETTLE_S)
        return {name for name, by_envoy in writes.items() if by_envoy}

    def _announce(self, decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            self._metrics.count(decision)
            event, share = decision.event, decision.to_percent
            log.info("decision", workload=decision.workload, event_kind=event, to_percent=share, reason=decision.reason)
            for sink in self._sinks:
                sink.announce(decision)
