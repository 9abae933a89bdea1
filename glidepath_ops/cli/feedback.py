"""``glidepath feedback``: record feedback on individual answers, by request id."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Annotated, BinaryIO

import typer

from glidepath.clock import unix_ms
from glidepath.config import Config
from glidepath.errors import InputError, UnknownWorkloadError
from glidepath.feedback import (
    MAX_LINE_BYTES,
    FeedbackMatch,
    GivenFeedback,
    parse_feedback,
    parse_line,
)
from glidepath.feedback_intake import LATER_S, FeedbackStore, feedback_stores, store_of
from glidepath.redisio import RedisClient
from glidepath_ops.cli.redis_connection import with_redis
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, ConfigPath
from glidepath_ops.redact_feedback_labels import LabelRedactor

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
        str | None,
        typer.Option("--score", metavar="SCORE", help="A number from 0 (bad) to 1 (good), or the word up or down."),
    ] = None,
    success: Annotated[
        bool | None,
        typer.Option("--success/--failure", help="Whether the answer solved its task, instead of --score."),
    ] = None,
    label: Annotated[
        str,
        typer.Option(
            "--label",
            help="A short text that is shown with the pair. It may be given with a score or alone, and is redacted "
            "before it is stored.",
        ),
    ] = "",
    user: Annotated[
        str,
        typer.Option(
            "--user",
            help="Who gave the feedback. If one user gives much feedback, each piece counts less. Only a digest is "
            "stored.",
        ),
    ] = "",
) -> None:
    """Record feedback on individual answers, by request id.

    Feedback is a user's thumbs up or down, or whether the answer solved its task. With --request-id and --score,
    --success, --failure or --label, the command records feedback on one answer. Otherwise, it reads one JSON object per
    line from stdin, with these keys:

    - "request_id": the x-request-id of the response
    - "score": a number from 0 (bad) to 1 (good), "up" or "down"
    - "thumbs": "up" or "down", instead of "score"
    - "success": true or false, instead of "score"
    - "label": a short text, which the console shows with the pair; optional, or instead of "score"
    - "user", "workload": optional

    Feedback counts for the side that served the request, in the gate "feedback" and in glidepath status. Each request
    counts once. The result on stdout is one JSON object with the number of entries that counted for each side. It also
    has the numbers of those that did not count: "unknown" (no such request), "repeated" (the request has earlier
    feedback) and "noted" (only a label). An invalid line is reported on stderr and skipped; the exit status is then 2.
    """
    bad: list[str] = []
    single = request_id or score or user or label or success is not None
    source = _one(request_id, score, success, label, user) if single else _lines(sys.stdin.buffer, bad)

    async def work(settings: Config, redis: RedisClient) -> Counter[FeedbackMatch]:
        stores = feedback_stores(settings, redis, workload)
        redact = LabelRedactor(settings.redaction)
        redacted = ((number, redact(given)) for number, given in source)
        return await _give_all(stores, redacted, bad, settings.extproc.flush + LATER_S)

    typed = not single and sys.stdin.isatty()  # a bar would overwrite what a person types
    found = with_redis(config, work, None if typed else "recording feedback")
    typer.echo(json.dumps({match.value: found[match] for match in FeedbackMatch}))
    for problem in bad:
        typer.echo(f"glidepath: {problem}", err=True)
    if bad:
        raise typer.Exit(2)


def _one(
    request_id: str | None, score: str | None, success: bool | None, label: str, user: str
) -> Iterator[tuple[int, GivenFeedback]]:
    if request_id is None or (score is None and success is None and not label):
        raise InputError(
            "needs --request-id with --score, --success, --failure or --label, or none of them and lines of JSON on "
            "stdin"
        )
    value: object = score
    with suppress(ValueError):
        value = float(score) if score is not None else None
    raw = {"request_id": request_id, "score": value, "success": success, "label": label, "user": user}
    return iter([(0, parse_feedback(raw))])


def _lines(source: BinaryIO, bad: list[str]) -> Iterator[tuple[int, GivenFeedback]]:
    """Yield the line number and the feedback of each valid line. Add the problem of each invalid line to ``bad``."""
    for number, line in enumerate(_bounded(source), start=1):
        if not line.strip():
            continue
        try:
            yield number, parse_line(line)
        except InputError as error:
            bad.append(f"<stdin>:{number}: {error}")


def _bounded(source: BinaryIO) -> Iterator[bytes]:
    """Yield each line.

    Cut a line that is too long, but keep it longer than the parser accepts, so that it is refused.
    """
    while line := source.readline(MAX_LINE_BYTES + 2):
        yield line
        while len(line) > MAX_LINE_BYTES + 1 and not line.endswith(b"\n"):
            line = source.readline(MAX_LINE_BYTES + 2)


async def _give_all(
    stores: dict[str, FeedbackStore],
    source: Iterable[tuple[int, GivenFeedback]],
    bad: list[str],
    later_s: float,
) -> Counter[FeedbackMatch]:
    """Record all feedback. Try feedback on unknown requests again at the end, because a request may just have ended."""
    found: Counter[FeedbackMatch] = Counter()
    unknown: list[tuple[FeedbackStore, GivenFeedback]] = []
    for number, given in source:
        try:
            store = store_of(stores, given.workload, ", use --workload")
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
