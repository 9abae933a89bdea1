"""The steer loop's store in Redis: read the streams, and write state, status and log if the fencing token is valid."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from redis.exceptions import ResponseError

from glidepath.errors import InputError
from glidepath.feedback import Feedback, decode_feedback
from glidepath.logs import get_logger
from glidepath.outcome_summaries import Outcomes
from glidepath.pair_scores import ScoredPair
from glidepath.protobuf_codec import decode_outcomes, decode_scored
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient
from glidepath.scorer_groups import LIVE_S
from glidepath.status_and_decisions import Command, Decision, from_json, to_json
from scorer.steering.store_protocol import FencedError, News, OldCommands, OwnedError, Record

log = get_logger()

BATCH = 500  # the largest number of entries of a stream in one read; a full batch leads to another read at once
# See ADR 0090.
CLUSTER_POLL_S = 0.05
LIVE_MS = round(LIVE_S * 1000)
RECALL_MS = 86_400_000  # when a new state begins, unanswered commands that are older than this are not carried out
SLACK_MS = 1_000  # a command may arrive during the write of a tick that has not read it
LOOK_BACK = 500  # the number of latest decisions that are searched for the last answered command

# A full Redis refuses the commands that need memory, unless the script has written before. PERSIST changes nothing and
# counts as a write, so that a rollback can be stored (glidepath/writes_to_a_full_redis.py).
_WRITE = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local last = redis.call('HMGET', KEYS[1], 'fence', 'group', 'at_ms')
if (last[2] or '') ~= ARGV[5] and last[3] and now - tonumber(last[3]) < tonumber(ARGV[6]) then return last[2] or '' end
local fence = tonumber(last[1] or '0')
if tonumber(ARGV[1]) < fence then return fence end
redis.call('PERSIST', KEYS[1])
redis.call('HSET', KEYS[1], 'fence', ARGV[1], 'group', ARGV[5], 'at_ms', string.format('%.0f', now))
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'blob', ARGV[2]) end
if ARGV[3] ~= '' then redis.call('SET', KEYS[2], ARGV[3]) end
for i = 7, #ARGV do redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[4], '*', 'd', ARGV[i]) end
return 0
"""


_TIME = "return redis.call('TIME')"


class RedisSteeringStore:
    """The ``SteeringStore`` that uses a real Redis, either a single server or a cluster."""

    def __init__(self, redis: RedisClient, *, cluster: bool, log_retention: int, group: str = "") -> None:
        self._redis, self._cluster, self._log_retention, self._group = redis, cluster, log_retention, group

    async def load(self, workload: str) -> Mapping[str, Any] | None:
        """Return the workload's stored state; None if there is none. Raises InputError if it is not a JSON object."""
        blob = await self._redis.hget(WorkloadKeys(workload).state, "blob")
        if blob is None:
            return None
        try:
            state = json.loads(blob)
        except ValueError as error:
            raise InputError(f"the stored state of {workload} is not JSON: {error}") from error
        if not isinstance(state, dict):
            raise InputError(f"the stored state of {workload} is not an object")
        return state

    async def set_aside(self, workload: str, now_ms: int) -> OldCommands:
        """Copy the workload's unusable state to the field ``unreadable``, where people can inspect it.

        Return the last command that former leaders have certainly read, and the last command in the stream. The first
        follows from the log, in which leaders answer each command, and from the time of the last write, because leaders
        write every second. Commands that are older than RECALL_MS count as read. ``now_ms``: Redis' time.
        """
        names = WorkloadKeys(workload)
        blob, at_ms = await self._redis.hmget(names.state, ["blob", "at_ms"])
        if blob is not None:
            await self._redis.hset(names.state, "unreadable", blob)
        known = [(_id_ms(at_ms) - SLACK_MS, 0) if at_ms else (0, 0), *await self._answered(names.log)]
        last = await self._last_id(names.commands)
        # Later commands get greater ids than the last one, whatever Redis' clock shows.
        answered = min(max((now_ms - RECALL_MS, 0), *known), last)
        return OldCommands(f"{answered[0]}-{answered[1]}", f"{last[0]}-{last[1]}")

    async def _last_id(self, key: str) -> tuple[int, int]:
        """Return the last id that Redis assigned in a stream, even to a removed entry; (0, 0) without a stream."""
        try:
            info = await self._redis.xinfo_stream(key)
        except ResponseError:
            return 0, 0
        ms, _, number = _text(info["last-generated-id"]).partition("-")
        return int(ms), int(number)

    async def _answered(self, key: str) -> list[tuple[int, int]]:
        try:
            entries = _flat(await self._redis.xrevrange(key, count=LOOK_BACK))
        except ResponseError:  # the key is not a stream
            return []
        found = []
        for _, fields in entries:
            with contextlib.suppress(InputError, KeyError):
                ms, _, number = str(from_json(Decision, fields[b"d"]).details.get("command_id", "")).partition("-")
                if (ms + number).isascii() and ms.isdigit() and number.isdigit():
                    found.append((int(ms), int(number)))
        return found

    async def news(self, cursors: Mapping[str, Mapping[str, str]], block_ms: int) -> Mapping[str, News]:
        """Return the stream entries of each workload after its cursors.

        Wait at most ``block_ms`` for the first entry.
        ``cursors``: workload → stream → the id of the last entry that was read. A workload without new entries is left
        out.
        """
        places = {
            getattr(WorkloadKeys(workload), stream): (workload, stream)
            for workload, ids in cursors.items()
            for stream in ids
        }
        if not places:
            return {}
        positions = {key: cursors[workload][stream] for key, (workload, stream) in places.items()}
        try:
            if self._cluster:
                answers = await self._read_cluster(cursors, block_ms)
            else:
                answers = await self._redis.xread(positions, count=BATCH, block=block_ms or None) or []
        except ResponseError:  # one key is not a stream; the other workloads must continue
            answers = await self._read_cluster(cursors, block_ms)
        found: dict[str, dict[str, list[Any]]] = {}
        for key, entries in _streams(answers):
            workload, stream = places[_text(key)]
            found.setdefault(workload, {})[stream] = entries
        return {workload: decode_news(streams) for workload, streams in found.items()}

    async def _read_cluster(self, cursors: Mapping[str, Mapping[str, str]], block_ms: int) -> list[Any]:
        """Read the streams of each workload with its own command, until there are entries or ``block_ms`` is over.

        In a cluster, one read must not cross slots, and a blocking read would wait for only one slot.
        """
        deadline = time.monotonic() + block_ms / 1000
        while True:
            answers = await asyncio.gather(*(self._read_one(name, ids) for name, ids in cursors.items()))
            found = [stream for answer in answers for stream in answer]
            left = deadline - time.monotonic()
            if found or left <= 0:
                return found
            await asyncio.sleep(min(left, CLUSTER_POLL_S))

    async def _read_one(self, workload: str, ids: Mapping[str, str]) -> list[tuple[Any, list[Any]]]:
        positions = {getattr(WorkloadKeys(workload), stream): at for stream, at in ids.items()}
        try:
            return _streams(await self._redis.xread(positions, count=BATCH) or [])
        except ResponseError as error:
            log.warning("streams_unreadable", workload=workload, reason=str(error))
            return []

    async def write(self, fence: int, records: Mapping[str, Record]) -> Mapping[str, Exception]:
        """Write each record with one call of a script. Return the error of each workload whose write failed.

        The error is FencedError if the fencing token ``fence`` is too old, and OwnedError if another group wrote this
        workload a moment ago.
        """
        wanted = {workload: record for workload, record in records.items() if not record.empty}
        if not wanted:
            return {}
        pipe = self._redis.pipeline(transaction=False)
        for workload, record in wanted.items():
            names = WorkloadKeys(workload)
            lines = [to_json(decision) for decision in record.decisions]
            arguments = [fence, record.state or "", record.status or "", self._log_retention, self._group, LIVE_MS]
            pipe.eval(_WRITE, 3, names.state, names.status, names.log, *arguments, *lines)
        answers = await pipe.execute(raise_on_error=False)
        failed: dict[str, Exception] = {}
        for workload, answer in zip(wanted, answers, strict=True):
            if isinstance(answer, Exception):
                failed[workload] = answer
            elif isinstance(answer, bytes):
                failed[workload] = OwnedError(workload, answer.decode(errors="replace"))
            elif answer:
                failed[workload] = FencedError(workload, int(answer))
        return failed

    async def clocks_ms(self, workloads: Sequence[str]) -> Mapping[str, int]:
        """Return, for each workload, the present Unix time in milliseconds at the Redis node that holds its streams.

        The clocks of the nodes differ.
        """
        pipe = self._redis.pipeline(transaction=False)
        for workload in workloads:
            pipe.eval(_TIME, 1, WorkloadKeys(workload).state)
        answers = await pipe.execute()
        return {w: int(s) * 1000 + int(us) // 1000 for w, (s, us) in zip(workloads, answers, strict=True)}


def _streams(answer: Any) -> list[tuple[Any, list[Any]]]:
    """Return Redis' answer to a read as (key of the stream, entries of the stream) pairs.

    With RESP2, the answer consists of such pairs. With RESP3 (and some client versions), it is a mapping.
    """
    return list(answer.items()) if isinstance(answer, dict) else [tuple(pair) for pair in answer]


def decode_news(streams: Mapping[str, Sequence[Any]]) -> News:
    """Return the decoded entries of one workload's streams. An entry that cannot be decoded is counted and skipped."""
    outcomes: list[Outcomes] = []
    scored: list[ScoredPair] = []
    commands: list[Command] = []
    feedback: list[Feedback] = []
    cursors: dict[str, str] = {}
    bad = 0
    for stream, raw in streams.items():
        entries = _flat(raw)
        for entry_id, fields in entries:
            try:
                if stream == "outcomes":
                    outcomes.append(decode_outcomes(fields[b"o"], arrived_ms=_id_ms(entry_id)))
                elif stream == "results":
                    scored.append(decode_scored(fields[b"r"], _text(fields.get(b"e", ""))))
                elif stream == "feedback":
                    feedback.append(decode_feedback(fields[b"f"]))
                else:
                    commands.append(replace(from_json(Command, fields[b"c"]), id=_text(entry_id)))
            except (InputError, KeyError):
                bad += 1
        if entries:
            cursors[stream] = _text(entries[-1][0])
    full = any(len(_flat(raw)) >= BATCH for raw in streams.values())
    return News(tuple(outcomes), tuple(scored), tuple(commands), cursors, bad, full, tuple(feedback))


def _flat(raw: Any) -> list[tuple[Any, Any]]:
    """Return a stream's entries, without the additional list around them that the client adds with RESP3."""
    if len(raw) == 1 and isinstance(raw[0], list):
        return [tuple(entry) for entry in raw[0]]
    return [tuple(entry) for entry in raw]


def _id_ms(entry_id: Any) -> int:
    """Return the time at which Redis stored an entry, by Redis' clock, from the entry's id.

    Return 0 for an id without a time.
    """
    head = _text(entry_id).partition("-")[0]
    return int(head) if head.isascii() and head.isdigit() else 0


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
