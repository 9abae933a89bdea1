"""``glidepath calibrate``: propose gate thresholds from stored scores, as a commented fragment of glidepath.yaml.

With ``--labels``, fit the weights of the agreement to people's judgements instead (calibrate_from_labels.py).
"""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Annotated, Any

import typer

from glidepath.config import load_config
from glidepath.errors import InputError
from glidepath.protobuf_codec import decode_scored
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient
from glidepath_ops.cli.calibrate_from_labels import fit_labels, report_lines
from glidepath_ops.cli.output_files import check_output, write_output
from glidepath_ops.cli.redis_connection import with_redis
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, AsJson, ConfigPath, WorkloadOption
from scorer.steering.evidence.replay import MAX_LINE_BYTES
from scorer.steering.planning.calibration import History, fragment, propose
from scorer.steering.planning.recorded_events import KeysSeen, number, read_object

MAX_RESULTS = 20_000


def command(
    workload: WorkloadOption,
    config: ConfigPath = DEFAULT_CONFIG,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Read FILE instead of Redis: one JSON object per line, with agreement, noise or latency_ms.",
        ),
    ] = None,
    last: Annotated[
        int, typer.Option(min=10, max=MAX_RESULTS, help="Number of most recent results to read from Redis.")
    ] = 10_000,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Fit the agreement to people's judgements in FILE instead: one JSON object per line, with left, "
            "right, and same or acceptable (1 or 0) or label (as `glidepath pairs export` writes it).",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="With --labels: write the weights to this file."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Propose gate thresholds from the scores of stored pairs.

    The output is a fragment of glidepath.yaml with comments that give the reasons. The quality threshold follows from
    the noise floor (how well the baseline's answers agree with each other), or from the candidate's agreement if no
    noise floor was measured. The latency threshold follows from the variation of the baseline's latencies.

    With --labels, nothing is proposed. Instead, the weights of the agreement are fitted to judgements of people. The
    output shows how well the agreement follows the judgements, with the shipped weights and with the fitted ones.
    """
    if labels is not None:
        _fit(config, workload, labels, output, as_json)
        return
    if output is not None:
        raise InputError("--output: needs --labels")
    section = load_config(config).workload(workload)
    history = read_file(source) if source else with_redis(config, lambda _, client: read_redis(client, workload, last))
    proposals = propose(section, history)
    if not proposals:
        raise InputError(f"no scored pairs of {workload} yet, so there is nothing to calibrate from")
    if as_json:
        typer.echo(json.dumps({"workload": workload, "proposals": [dataclasses.asdict(p) for p in proposals]}))
    else:
        typer.echo(fragment(workload, proposals))


def _fit(config: Path, workload: str, labels: Path, output: Path | None, as_json: bool) -> None:
    if output is not None:
        check_output(output, "--output")
    fitted = fit_labels(load_config(config), workload, labels)
    written = output if fitted.better else None
    if written is not None:
        write_output(written, fitted.weights.to_json())
    lines = [fitted.to_json(workload, written)] if as_json else report_lines(fitted, workload, output)
    for line in lines:
        typer.echo(line)


async def read_redis(client: RedisClient, workload: str, last: int) -> History:
    """Return the scores and latencies in the workload's latest ``last`` results.

    Raises InputError for a result that cannot be decoded, and RedisError or OSError if Redis fails.
    """
    entries = await client.xrevrange(WorkloadKeys(workload).results, count=last)
    return History.of([decode_scored(fields[b"r"]) for _, fields in entries if b"r" in fields])


def read_file(path: Path) -> History:
    """Return the scores and latencies in a file with one event per line, as JSON in the format of ``glidepath judge``.

    Raises InputError for an invalid event, or if the file cannot be read.
    """
    history, times, seen = History(), [], KeysSeen()
    try:
        with path.open("rb") as file:
            for at, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES + 2), b""), start=1):
                if line.strip():
                    where = f"{path}:{at}"
                    raw = read_object(line, where)
                    seen.note(raw, where)
                    times += _add(history, raw, where)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    history.span_s = max(times) - min(times) if times else 0.0
    return history


def _add(history: History, raw: dict[str, Any], where: str) -> list[float]:
    """Add the scores and the latency of one event to the history.

    Only the latency of a successful request to the baseline is added. Return a list with the event's time in seconds,
    or an empty list if the event has no time. ``where`` names the file and the line in errors.
    """
    side, ok = raw.get("side", "baseline"), raw.get("ok", True)
    if side not in ("baseline", "candidate"):
        raise InputError(f"{where}: side: must be baseline or candidate (got {side!r})")
    if not isinstance(ok, bool):
        raise InputError(f"{where}: ok: must be true or false (got {ok!r})")
    latency = number(raw, "latency_ms", 0, math.inf, where)
    if latency and ok and side == "baseline":
        history.latencies.append(latency)
    for key, values in (("agreement", history.agreements), ("noise", history.noises)):
        score = number(raw, key, 0, 1, where)
        if score is not None:
            values.append(score)
    t = number(raw, "t", -math.inf, math.inf, where)
    return [] if t is None else [t]
