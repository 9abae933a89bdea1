"""``glidepath feedback``: give feedback on single answers, by request id."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated, BinaryIO

import typer

from glidepath.clock import unix_ms
from glidepath.config import Config
from glidepath.errors import ConfigError, InputError, UnknownWorkloadError
from glidepath.feedback import (
    MAX_LINE_BYTES,
    FeedbackMatch,
    GivenFeedback,
    parse_feedback,
    parse_line,
)
from glidepath.feedback_intake import FeedbackStore
from glidepath.redisio import RedisClient
from glidepath.suggestions import allowed_names
from glidepath_ops.cli.redis_connection import with_redis
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, ConfigPath

_LATER_S = 1.0  # beyond extproc.flush, the time until a request that has just ended is remembered
_MOST_LATER = 10_000  # feedback on unknown requests that is tried again at the end


def command(
    config: ConfigPath = DEFAULT_CONFIG,
    workload: Annotated[
        str | None,
        typer.Option("--workload", "-w", help="Name of the workload; default: the only one with a feedback section."),
    ] = None,
    request_id: Annotated[
        str | None,
        typer.Option("--request-id", help="The x-request-id of the response. Without it, feedback is read from stdin."),
    ] = None,
    score: Annotated[
        str | None, typer.Option("--score", metavar="SCORE", help="0 (bad) to 1 (good), up or down.")
    ] = None,
    user: Annotated[
        str, typer.Option("--user", help="Who gave it, so that one busy user counts less; only a digest is stored.")
    ] = "",
) -> None:
    """Give feedback on single answers, by request id.

    Feedback is a thumb of a user, or the success of the task. With --request-id and --score, give one. Otherwise, read
    lines of JSON from stdin: {"request_id": "…", "score": 1}, with "user" and "workload" as optional keys. A score is a
    number from 0 (bad) to 1 (good), "up" or "down".

    Feedback counts for the side that served the request: for the gate "feedback", and in status. Each request counts
    once. The result on stdout is one JSON object with the numbers for each side, and those of unknown
    and of repeated requests. A line that is no feedback is reported on stderr and skipped; the exit status is then 2.
    """
    bad: list[str] = []
    source = _one(request_id, score, user) if request_id or score or user else _lines(sys.stdin.buffer, bad)

    async def work(settings: Config, redis: RedisClient) -> Counter[FeedbackMatch]:
        stores = _stores(settings, redis, workload)
        return await _give_all(stores, source, bad, settings.extproc.flush + _LATER_S)

    found = with_redis(config, work)
    typer.echo(json.dumps({match.value: found[match] for match in FeedbackMatch}))
    for problem in bad:
        typer.echo(f"glidepath: {problem}", err=True)
    if bad:
        raise typer.Exit(2)


def _one(request_id: str | None, score: str | None, user: str) -> Iterator[tuple[int, GivenFeedback]]:
    if request_id is None or score is None:
        raise InputError("needs both --request-id and --score, or lines of JSON on stdin and neither")
    try:
        value: object = float(score)
    except ValueError:
        value = score
    return iter([(0, parse_feedback({"request_id": request_id, "score": value, "user": user}))])


def _lines(source: BinaryIO, bad: list[str]) -> Iterator[tuple[int, GivenFeedback]]:
    """Yield the number and the feedback of each line that has one. Add the problem of any other line to ``bad``."""
    for number, line in enumerate(_bounded(source), start=1):
        if not line.strip():
            continue
        try:
            yield number, parse_line(line)
        except InputError as error:
            bad.append(f"<stdin>:{number}: {error}")


def _bounded(source: BinaryIO) -> Iterator[bytes]:
    """Yield each line; of a line that is too long, only a part, which the parser refuses."""
    while line := source.readline(MAX_LINE_BYTES + 2):
        yield line
        while len(line) > MAX_LINE_BYTES + 1 and not line.endswith(b"\n"):
            line = source.readline(MAX_LINE_BYTES + 2)


def _stores(settings: Config, redis: RedisClient, workload: str | None) -> dict[str, FeedbackStore]:
    """Return the stores by workload. The store at "" is for feedback that names no workload, if it is clear."""
    stores = {
        name: FeedbackStore(redis, name, one.feedback)
        for name, one in settings.workloads.items()
        if one.feedback is not None
    }
    if not stores:
        raise ConfigError("no workload has a feedback section; add workloads.NAME.feedback: {}")
    if workload is not None:
        settings.workload(workload)
        if workload not in stores:
            raise ConfigError(f"workloads.{workload} has no feedback section; add feedback: {{}}")
        return stores | {"": stores[workload]}
    return stores | ({"": next(iter(stores.values()))} if len(stores) == 1 else {})


def _store(stores: dict[str, FeedbackStore], name: str) -> FeedbackStore:
    if name in stores:
        return stores[name]
    known = [known for known in stores if known]
    if not name:
        raise UnknownWorkloadError(f"workload: is missing, use --workload (known: {', '.join(sorted(known))})")
    raise UnknownWorkloadError(f"workload: {name[:60]!r} has no feedback section {allowed_names(known, name)}")


async def _give_all(
    stores: dict[str, FeedbackStore],
    source: Iterable[tuple[int, GivenFeedback]],
    bad: list[str],
    later_s: float,
) -> Counter[FeedbackMatch]:
    """Give all feedback. What is unknown is tried again at the end, because its request may have ended just now."""
    found: Counter[FeedbackMatch] = Counter()
    unknown: list[tuple[FeedbackStore, GivenFeedback]] = []
    for number, given in source:
        try:
            store = _store(stores, given.workload)
        except UnknownWorkloadError as error:
            if not number:
                raise
            bad.append(f"<stdin>:{number}: {error}")
            continue
        final = len(unknown) >= _MOST_LATER
        match = await store.give(given, unix_ms(), final=final)
        if match is FeedbackMatch.UNKNOWN and not final:
            unknown.append((store, given))
        else:
            found[match] += 1
    if unknown:
        await asyncio.sleep(later_s)
    for store, given in unknown:
        found[await store.give(given, unix_ms())] += 1
    return found
