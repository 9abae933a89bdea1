"""Who steers a workload: which group of scorers, how lately; and what is wrong where it is not the one that should.

Scorers of one ``scorer.group`` share a lease, and the one that holds it steers the workloads of *its* file. So files
with different workloads need groups of their own: otherwise the others' workloads are steered by nobody. See ADR 0128.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from glidepath.keys import WorkloadKeys, lease_key
from glidepath.redisio import RedisClient

LIVE_S = 10.0  # who steers writes every second; after this long without a write, nobody does

# A state of a version that wrote neither group nor time is as old as the workload's status.
_LAST = """
local t = redis.call('TIME')
local last = redis.call('HMGET', KEYS[1], 'group', 'at_ms')
local at = last[2]
if not at then
  local ok, status = pcall(cjson.decode, redis.call('GET', KEYS[2]) or '')
  at = ok and type(status) == 'table' and status.updated_at_ms
end
at = tonumber(at or nil)
return {last[1] or '', at and string.format('%.0f', t[1] * 1000 + t[2] / 1000 - at) or ''}
"""


@dataclass(frozen=True, slots=True)
class Holder:
    """Which group steered a workload last, and how many seconds ago (None: none did), by Redis' clock."""

    group: str = ""
    age_s: float | None = None

    def live(self, patience_s: float = LIVE_S) -> bool:
        return self.age_s is not None and self.age_s < patience_s


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong, and what a person can do about it."""

    detail: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.detail}; {self.remedy}"


async def leader(client: RedisClient, group: str) -> str:
    """The scorer that holds the lease of ``group``; "" nobody. Raises RedisError."""
    owner = await client.get(lease_key(group))
    return owner.decode(errors="replace") if owner else ""


async def holders(client: RedisClient, workloads: Iterable[str]) -> dict[str, Holder]:
    """Of every workload whose state can be read. Raises RedisError."""
    names = list(workloads)
    pipe = client.pipeline(transaction=False)
    for name in names:
        pipe.eval(_LAST, 2, WorkloadKeys(name).state, WorkloadKeys(name).status)
    answers = await pipe.execute(raise_on_error=False) if names else []
    return {name: _holder(answer) for name, answer in zip(names, answers, strict=True) if isinstance(answer, list)}


def _holder(answer: list[bytes]) -> Holder:
    group, age = (value.decode(errors="replace") for value in answer)
    return Holder(group, max(float(age) / 1000, 0.0) if age else None)


def trouble(name: str, group: str, leader: str, holder: Holder, patience_s: float = LIVE_S) -> Trouble | None:
    """Why a workload of a file of ``group``, whose lease ``leader`` holds ("" nobody), is not steered by it."""
    if holder.live(patience_s):
        return None if holder.group == group else _elsewhere(name, group, holder.group)
    return _left_out(name, group, leader) if leader else None


def _elsewhere(name: str, group: str, other: str) -> Trouble:
    return Trouble(
        f"{name} is steered by {called(other)}, this file is of {called(group)}",
        "a workload belongs to one group: rename it in one of the files, or take it out (where it moves from one"
        f" group to the other, this ends {LIVE_S:.0f} s after the other's scorers)",
    )


def _left_out(name: str, group: str, leader: str) -> Trouble:
    return Trouble(
        f"{leader} holds the lease of {called(group)} and does not steer {name}",
        "its file has no such workload: give each team's file a scorer.group of its own, or all scorers of a group the"
        " same file",
    )


def called(group: str) -> str:
    return f"group {group!r}" if group else "the group without a name"
