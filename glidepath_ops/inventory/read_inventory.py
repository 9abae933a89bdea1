"""Reads the counts of the inventory: from Redis, or from files of access log lines."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from glidepath.config import Config
from glidepath.config.inventory import InventorySection
from glidepath.errors import InputError
from glidepath.inventory.period_tallies import Period
from glidepath.inventory.stored_periods import begin_of, periods_between, stored_groups
from glidepath.inventory.tally import GroupKey, Tally
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient
from glidepath_ops.inventory.answer_variation import AnswerVariation, by_noise_floor
from glidepath_ops.inventory.estimate import Traffic
from glidepath_ops.inventory.log_lines import MOST_LINE, LogLines

Advance = Callable[[int], None]
_PIECE = 8 * 2**20  # bytes of a file between two reports of progress
STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True)
class ReadTraffic:
    """The counts that were read.

    ``from_ms``, ``to_ms``: the counted time; both 0 if it is unknown.
    ``notes``: messages about unreadable data, for people.
    ``variations``: the variation of answers, by configured workload.
    """

    traffic: Traffic
    from_ms: int
    to_ms: int
    notes: tuple[str, ...] = ()
    variations: dict[str, AnswerVariation] = field(default_factory=dict)


async def read_from_redis(
    config: Config, client: RedisClient, since_ms: int, now_ms: int, advance: Advance
) -> ReadTraffic:
    """Return the counts of the periods since ``since_ms``. Raises RedisError or OSError."""
    traffic, unreadable = Traffic(), 0
    begins: list[int] = []
    for period in periods_between(since_ms, now_ms):
        tallies, bad = await _period(client, period)
        traffic.add_period(tallies)
        unreadable += bad
        if tallies:
            begins.append(await begin_of(client, period) or period.start_ms)
        advance(1)
    variations = {name: found for name in config.workloads if (found := await _noise_floor(config, client, name))}
    notes = (f"{unreadable} groups in Redis cannot be read: a newer Glidepath wrote them",) if unreadable else ()
    return ReadTraffic(traffic, min(begins, default=0), now_ms if begins else 0, notes, variations)


async def _period(client: RedisClient, period: Period) -> tuple[dict[GroupKey, Tally], int]:
    """Return the totals over all processes in a period, and the number of groups that cannot be read."""
    tallies: dict[GroupKey, Tally] = {}
    unreadable = 0
    async for group in stored_groups(client, period):
        if group.key is None or group.tally is None:
            unreadable += 1
        elif group.key in tallies:
            tallies[group.key].add(group.tally)
        else:
            tallies[group.key] = group.tally
    return tallies, unreadable


async def _noise_floor(config: Config, client: RedisClient, name: str) -> AnswerVariation | None:
    """Return how much a workload's baseline agrees with itself, or None if too few pairs measured it."""
    key = WorkloadKeys(name).noise(config.workload(name).baseline, config.scorer.embedder.model)
    pairs, agreement = await client.hmget(key, "pairs", "agreement_sum")
    try:
        return by_noise_floor(int(pairs or 0), float(agreement or 0))
    except ValueError:
        return None


def size_of(files: Iterable[str]) -> int | None:
    """Return the total size of all files, or None if one is standard input. Raises InputError for a missing file."""
    total = 0
    for name in files:
        if name == STANDARD_INPUT:
            return None
        try:
            total += Path(name).stat().st_size
        except OSError as error:
            raise InputError(f"--from: {name}: {error.strerror}") from error
    return total


def read_from_files(
    files: Iterable[str], section: InventorySection, caller: str, since_ms: int, advance: Advance
) -> ReadTraffic:
    """Return the counts of the lines of all files. Raises InputError if a file cannot be read or has no valid line."""
    lines = LogLines(section, caller, since_ms)
    for name in files:
        try:
            if name == STANDARD_INPUT:
                _read_lines(lines, sys.stdin.buffer, "standard input", advance)
            else:
                with Path(name).open("rb") as opened:
                    _read_lines(lines, opened, name, advance)
        except OSError as error:
            raise InputError(f"--from: {name}: {error.strerror or error}") from error
    if not lines.requests and lines.bad:
        raise InputError("--from: no line can be counted\n" + "\n".join(lines.named))
    traffic = Traffic()
    traffic.add_period(lines.tallies)
    return ReadTraffic(traffic, lines.first_ms, lines.last_ms, tuple(_notes(lines)))


def _notes(lines: LogLines) -> Iterable[str]:
    if lines.bad:
        reasons = ", ".join(f"{n:,} {why}" for why, n in lines.bad.most_common())
        yield f"{sum(lines.bad.values()):,} of {lines.lines:,} lines were left out: {reasons}"
        yield from lines.named
    if lines.too_old:
        yield f"{lines.too_old:,} lines are older than --since"
    if lines.overflow:
        yield "there are too many groups; further ones are counted as other"


def _read_lines(lines: LogLines, opened: BinaryIO, name: str, advance: Advance) -> None:
    """Count the lines of a file. If a line is too long, only its beginning is held in memory."""
    number = waiting = 0
    while line := opened.readline(MOST_LINE + 2):
        number += 1
        waiting += len(line)
        at = number
        lines.add(line, lambda: f"{name}:{at}")  # noqa: B023 - called at once
        while line and not line.endswith(b"\n"):
            line = opened.readline(MOST_LINE)
            waiting += len(line)
        if waiting >= _PIECE:
            advance(waiting)
            waiting = 0
    advance(waiting)
