"""Deliver the decisions of the last hour that a former leader did not deliver before it ended. See ADR 0523.

A new leader reads the decision log once. Each destination gets the decisions that are missing in the record of this
destination. A destination without a record is new, so it gets no decisions from before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from redis.exceptions import RedisError

from glidepath.config import Config
from glidepath.errors import InputError, error_text_with_type
from glidepath.logs import get_logger
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient, being_cancelled
from glidepath.status_and_decisions import Decision, from_json
from scorer.steering.notify.delivered_record import DeliveredRecord, id_of
from scorer.steering.notify.delivery import KEEP_S, DeliveryQueue

AGAIN_S = 2.0
KEEP_RECORDS_EVERY_S = 600.0
MOST = 200  # at most this many decisions of one workload are delivered
NOT_ANNOUNCED = frozenset({"decommission"})  # entries that a person's command writes to the log

log = get_logger()


@dataclass(frozen=True, slots=True)
class Logged:
    """A decision of the log, its id in the records, and its age."""

    decision: Decision
    id: str
    age_s: float


class ContinuedDeliveries:
    """The leader's task that continues the deliveries of former leaders. ``run`` raises no error."""

    def __init__(
        self,
        config: Config,
        redis: RedisClient,
        queues: Iterable[tuple[DeliveryQueue, DeliveredRecord]],
        foreign: Callable[[], Collection[str]],
    ) -> None:
        """``foreign`` returns the workloads that another group of scorers steers."""
        self._config, self._redis, self._queues, self._foreign = config, redis, tuple(queues), foreign

    async def run(self) -> None:
        if not self._queues:
            return
        reason = ""
        while not being_cancelled():
            try:
                await self.follow_up()
                break
            except (RedisError, OSError) as error:
                text = error_text_with_type(error)[:300]
                if text != reason:
                    log.warning("deliveries_not_continued", reason=text, effect="tried again")
                reason = text
            await asyncio.sleep(AGAIN_S)
        await self._keep_records()

    async def follow_up(self) -> None:
        """Queue the decisions that former leaders did not deliver, and begin new records.

        Raises RedisError or OSError.
        """
        records = [(queue, record, await record.done()) for queue, record in self._queues]
        logged = await self._logged() if any(done for _, _, done in records) else []
        for queue, record, done in records:
            for one in logged if done is not None else []:
                if one.id not in (done or ()):
                    queue.continue_with(one.decision, one.id, KEEP_S - one.age_s)
            await record.keep()

    async def _keep_records(self) -> None:
        while not being_cancelled():
            await asyncio.sleep(KEEP_RECORDS_EVERY_S)
            for _, record in self._queues:
                try:
                    await record.keep()
                except (RedisError, OSError):
                    break

    async def _logged(self) -> list[Logged]:
        """Return the decisions of the last KEEP_S seconds in the order of time. Raises RedisError or OSError."""
        found: list[Logged] = []
        for workload in set(self._config.workloads) - set(self._foreign()):
            key = WorkloadKeys(workload).log
            seconds = int((await self._redis.eval("return redis.call('TIME')", 1, key))[0])
            since = f"{max(seconds - round(KEEP_S), 0) * 1000}"
            entries = await self._redis.xrevrange(key, min=since, count=MOST)
            found += [one for at, fields in entries if (one := _decision(at, fields, seconds)) is not None]
        return sorted(found, key=lambda one: one.decision.at_ms)


def _decision(entry_id: bytes, fields: Mapping[bytes, bytes], now_s: int) -> Logged | None:
    """Return a decision of the log; None for an entry that is no decision or is not announced."""
    try:
        decision = from_json(Decision, fields[b"d"])
    except (InputError, KeyError):
        return None
    if decision.event in NOT_ANNOUNCED:
        return None
    return Logged(decision, id_of(fields[b"d"]), now_s - int(entry_id.partition(b"-")[0]) / 1000)
