"""Reads a workload's status and decision log from Redis, sends commands to the leader, and waits for its decisions."""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace

from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient
from glidepath.status_and_decisions import Command, Decision, WorkloadStatus, from_json, to_json
from glidepath.writes_to_a_full_redis import add_to_stream


async def read_status(client: RedisClient, workload: str) -> WorkloadStatus | None:
    """Return the workload's latest status, or None if no scorer has steered the workload yet."""
    raw = await client.get(WorkloadKeys(workload).status)
    return None if raw is None else from_json(WorkloadStatus, raw)


async def read_log(client: RedisClient, workload: str, count: int | None) -> list[Decision]:
    """Return the last ``count`` decisions in the workload's log, or all if ``count`` is None; oldest first."""
    entries = await client.xrevrange(WorkloadKeys(workload).log, count=count)
    return [_decision(entry) for entry in reversed(entries)]


def _decision(entry: tuple[bytes, dict[bytes, bytes]]) -> Decision:
    return replace(from_json(Decision, entry[1][b"d"]), id=entry[0].decode())


async def send_command(client: RedisClient, workload: str, command: Command) -> str:
    """Add the command to the workload's command stream and return its stream id."""
    keys = WorkloadKeys(workload)
    entry = await add_to_stream(client, keys.commands, "c", to_json(command), 10_000)
    return str(entry.decode())


async def wait_for_answer(client: RedisClient, workload: str, command_id: str, timeout: float) -> Decision | None:
    """Return the decision that answers the command, or None if no scorer acted within ``timeout`` seconds."""
    # The ids of both streams come from Redis' clock. The answer is in the same millisecond or later.
    before = f"{int(command_id.partition('-')[0]) - 1}-0"
    return await _wait(client, workload, before, timeout, lambda d: d.details.get("command_id") == command_id)


async def wait_for_event(client: RedisClient, workload: str, after: str, event: str, timeout: float) -> Decision | None:
    """Return the first decision with this ``event`` that follows the decision with id ``after`` in the log.

    Return None if there is no such decision within ``timeout`` seconds.
    """
    return await _wait(client, workload, after, timeout, lambda d: d.event == event)


async def _wait(
    client: RedisClient, workload: str, cursor: str, timeout: float, wanted: Callable[[Decision], bool]
) -> Decision | None:
    deadline = time.monotonic() + timeout
    log = WorkloadKeys(workload).log
    while (left := deadline - time.monotonic()) > 0:
        answer = await client.xread({log: cursor}, count=100, block=max(min(round(left * 1000), 1000), 1)) or []
        for entry in answer[0][1] if answer else ():
            decision = _decision(entry)
            cursor = decision.id
            if wanted(decision):
                return decision
    return None


def actor(name: Callable[[], str] = getpass.getuser) -> str:
    """Return the person who runs this command, as USER@HOST."""
    try:
        user = name()
    except (KeyError, OSError):  # in a container the user id often has no name
        user = f"uid-{os.getuid()}"
    return f"{user}@{socket.gethostname()}"
