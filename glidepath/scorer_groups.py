"""Finds out which group of scorers steered a workload last, and explains why the expected group did not.

The scorers of one ``scorer.group`` compete for one lease. Its holder, the leader, steers only the workloads of its own
configuration file. Two files with different workloads therefore need different groups: in one common group, the
workloads of one file would not be steered. See ADR 0128.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from glidepath.redis_keys import WorkloadKeys, lease_key
from glidepath.redisio import RedisClient

LIVE_S = 10.0  # a leader writes every second; after this long without a write, a workload counts as not steered

# A time in the future shows that Redis' clock was set back. It is lowered to the present; otherwise, a group that has
# ended would count as steering until that time.
_LAST = """
local t = redis.call('TIME')
local last = redis.call('HMGET', KEYS[1], 'group', 'at_ms')
local at, now = tonumber(last[2] or nil), math.floor(t[1] * 1000 + t[2] / 1000)
if at and at > now then
  redis.call('HSET', KEYS[1], 'at_ms', string.format('%.0f', now))
  at = now
end
return {last[1] or '', at and string.format('%.0f', now - at) or ''}
"""


@dataclass(frozen=True, slots=True)
class LastSteering:
    """The scorer group that steered a workload last.

    ``age_s`` is the time since its last write in seconds, by Redis' clock, or None if no group has steered the
    workload.
    """

    group: str = ""
    age_s: float | None = None

    def live(self, within_s: float = LIVE_S) -> bool:
        return self.age_s is not None and self.age_s < within_s


@dataclass(frozen=True, slots=True)
class GroupProblem:
    """The reason why the expected scorer group does not steer a workload, and a remedy."""

    detail: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.detail}; {self.remedy}"


async def leader(client: RedisClient, group: str) -> str:
    """Return the name of the scorer that holds the leader's lease of ``group``; "" if none does. Raises RedisError."""
    owner = await client.get(lease_key(group))
    return owner.decode(errors="replace") if owner else ""


async def last_steering(client: RedisClient, workloads: Iterable[str]) -> dict[str, LastSteering]:
    """Return the group that steered each workload last, by workload. Workloads whose state cannot be read are left out.

    Raises RedisError.
    """
    names = list(workloads)
    pipe = client.pipeline(transaction=False)
    for name in names:
        pipe.eval(_LAST, 1, WorkloadKeys(name).state)
    answers = await pipe.execute(raise_on_error=False) if names else []
    return {
        name: _last_steering(answer) for name, answer in zip(names, answers, strict=True) if isinstance(answer, list)
    }


def _last_steering(answer: list[bytes]) -> LastSteering:
    group, age = (value.decode(errors="replace") for value in answer)
    return LastSteering(group, max(float(age) / 1000, 0.0) if age else None)


def group_problem(
    name: str, group: str, leader: str, last: LastSteering, within_s: float = LIVE_S
) -> GroupProblem | None:
    """Return why the scorer group ``group`` does not steer ``name``, a workload in the group's configuration file.

    Returns None if the group steers the workload or has no leader yet. ``leader`` is the name of the scorer that
    holds the group's lease, or "" if none does. ``last`` is the group that steered the workload last. That group
    counts as steering for ``within_s`` seconds after its last write.
    """
    if last.live(within_s):
        return None if last.group == group else _steered_by_other_group(name, group, last.group)
    return _not_steered_by_leader(name, group, leader, last) if leader else None


def _steered_by_other_group(name: str, group: str, other: str) -> GroupProblem:
    return GroupProblem(
        f"{name} is steered by {group_label(other)}, this file belongs to {group_label(group)}",
        "a workload belongs to one group: rename it in one of the files, or remove it there (after a move from one"
        f" group to another, this message disappears {LIVE_S:.0f} s after the old group's scorers have stopped)",
    )


def _not_steered_by_leader(name: str, group: str, leader: str, last: LastSteering) -> GroupProblem:
    detail = f"{leader} holds the lease of {group_label(group)} but does not steer {name}"
    remedy = "give each team's file a scorer.group of its own, or give all scorers of a group the same file"
    if last.group == group and last.age_s is not None:
        ago = f"{last.age_s:.0f} s ago the group did"
        return GroupProblem(detail, f"{ago}: its scorer is stuck (see its log and its processor), or lost it: {remedy}")
    return GroupProblem(detail, f"its file has no such workload: {remedy}")


def group_label(group: str) -> str:
    return f"group {group!r}" if group else "the group without a name"
