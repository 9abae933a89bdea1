"""``glidepath calibrate``: propose gate thresholds from stored scores, as a commented fragment of glidepath.yaml.

With ``--labels``, fit the weights of the signals in the agreement score to people's judgements instead
(calibrate_from_labels.py).
"""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Annotated, Any

import typer

from glidepath.agreement_weights import workload_weights
from glidepath.config import Config, load_config
from glidepath.errors import InputError
from glidepath.pair_scores import ScoredPair
from glidepath.protobuf_codec import decode_scored
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient
from glidepath.served_digest import served_digest
from glidepath_ops.cli.calibrate_from_labels import fit_labels, report_lines
from glidepath_ops.cli.delayed_progress_bar import bytes_of, delayed_progress_bar, lines_with_progress
from glidepath_ops.cli.output_files import check_output, write_output
from glidepath_ops.cli.redis_connection import with_redis
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, AsJson, ConfigPath, WorkloadOrOnly, only_workload
from scorer.steering.evidence.replay import MAX_LINE_BYTES
from scorer.steering.planning.calibration import History, fragment, left_out_text, propose
from scorer.steering.planning.recorded_events import KeysSeen, number, read_object
from scorer.steering.workload.other_configuration import is_other
from scorer.steering.workload.refuse_other_embedder import refuse_other_embedder

MAX_RESULTS = 20_000


def command(
    config: ConfigPath = DEFAULT_CONFIG,
    workload: WorkloadOrOnly = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Read FILE instead of Redis: one JSON object per line, with agreement, noise or latency_ms, as for "
            "`glidepath judge`.",
        ),
    ] = None,
    last: Annotated[
        int, typer.Option(min=10, max=MAX_RESULTS, help="Number of most recent results to read from Redis.")
    ] = 10_000,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Fit the agreement score to people's judgements in FILE instead: one JSON object per line, with the "
            "texts of the two answers (left: the baseline's, right: the candidate's) and one of: same (1 or 0), "
            "acceptable (1 or 0), or label (as `glidepath pairs export` writes it).",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="With --labels: write the fitted weights of the signals to this file, for scoring.calibration.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Propose gate thresholds from the scores of stored pairs.

    The output is a fragment of glidepath.yaml with comments that give the reasons. The quality threshold follows from
    the noise floor: how well two answers of the baseline to the same request agree. If no noise floor was measured, it
    follows from the candidate's agreement with the baseline. The latency threshold follows from the variation of the
    baseline's latencies.

    With --labels, nothing is proposed. Instead, the weights of the signals in the agreement score are fitted to
    people's judgements. The output shows how well the score follows the judgements, with the shipped weights and with
    the fitted ones.
    """
    if labels is not None:
        if source is not None:
            raise InputError("--from: has no effect with --labels; give one of them")
        _fit(config, only_workload(load_config(config), workload), labels, output, as_json)
        return
    if output is not None:
        raise InputError("--output: needs --labels")
    settings = load_config(config)
    name = only_workload(settings, workload)
    section = settings.workload(name)
    if source:
        history = read_file(source)
    else:
        history = with_redis(config, lambda read, client: read_redis(read, client, name, last))
    proposals = propose(section, history)
    if not proposals:
        others = f" ({left_out_text(history.left_out)})" if history.left_out else ""
        raise InputError(f"no scored pairs of {name} yet, so there is nothing to calibrate from{others}")
    if as_json:
        found = [dataclasses.asdict(p) for p in proposals]
        typer.echo(json.dumps({"workload": name, "left_out": history.left_out, "proposals": found}))
    else:
        typer.echo(fragment(name, proposals))


def _fit(config: Path, workload: str, labels: Path, output: Path | None, as_json: bool) -> None:
    if output is not None:
        check_output(output, "--output")
    with delayed_progress_bar("fitting the weights", None):
        fitted = fit_labels(load_config(config), workload, labels)
    written = output if fitted.better else None
    if written is not None:
        write_output(written, fitted.weights.to_json())
    lines = [fitted.to_json(workload, written)] if as_json else report_lines(fitted, workload, output)
    for line in lines:
        typer.echo(line)


async def read_redis(config: Config, client: RedisClient, workload: str, last: int) -> History:
    """Return the scores and latencies in the workload's latest ``last`` results.

    Results of other backends, weights or embedders than those in ``config`` are left out and counted. Raises InputError
    for a result that cannot be decoded, and RedisError or OSError if Redis fails.
    """
    entries = await client.xrevrange(WorkloadKeys(workload).results, count=last)
    found = [decode_scored(fields[b"r"]) for _, fields in entries if b"r" in fields]
    usable = _usable(config, workload, found)
    history = History.of(usable)
    history.left_out = len(found) - len(usable)
    return history


def _usable(config: Config, workload: str, found: list[ScoredPair]) -> list[ScoredPair]:
    """Return the results that the scorer would accept as evidence with the present configuration."""
    served = served_digest(config, workload)
    weights = workload_weights(config.workload(workload).scoring.calibration).digest
    embedder = f"{config.scorer.embedder.engine}:{config.scorer.embedder.model}"
    return [
        pair
        for pair in found
        if not is_other(pair, served)
        and (not pair.weights or pair.weights == weights)
        and refuse_other_embedder(pair, embedder).scored == pair.scored
    ]


def read_file(path: Path) -> History:
    """Return the scores and latencies in a file with one event per line, as JSON in the format of ``glidepath judge``.

    Raises InputError for an invalid event, or if the file cannot be read.
    """
    history, times, seen = History(), [], KeysSeen()
    try:
        with path.open("rb") as file, delayed_progress_bar("reading events", bytes_of(file)) as advance:
            for at, line in enumerate(lines_with_progress(file, advance, MAX_LINE_BYTES + 2), start=1):
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
