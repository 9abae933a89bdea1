"""``glidepath judge``: apply a workload's gates to a file of recorded requests."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from glidepath.config import Workload, load_config
from glidepath.errors import InputError
from glidepath_ops.cli.delayed_progress_bar import Advance, bytes_of, delayed_progress_bar, lines_with_progress
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, ConfigPath, WorkloadOption, percent_of
from scorer.steering.evidence.replay import MAX_LINE_BYTES, ReplayResult, parse_events, replay
from scorer.steering.planning.recorded_events import KeysSeen, checked, warnings

_LEAST_PERCENT = 0.01  # Envoy's weights are basis points


def command(
    outcomes: Annotated[Path, typer.Argument(help="File with one event per line, as JSON; - reads stdin.")],
    workload: WorkloadOption,
    config: ConfigPath = DEFAULT_CONFIG,
    percent: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENT",
            help="The candidate's configured share in percent. If given, check that the candidate got this share of "
            "the requests.",
        ),
    ] = None,
) -> None:
    """Apply a workload's gates to a file of recorded requests.

    Each line of the file is an event (one request): a JSON object with these keys:

    - "t": the time of the request in seconds
    - "side": "baseline" or "candidate"
    - "ok": true or false
    - "latency_ms": the latency in milliseconds, required if "ok" is true
    - "ttft_ms": the time to the first token in milliseconds
    - "tokens": the number of tokens of the answer
    - "agreement": how well the candidate's answer agrees with the baseline's, from 0 (not at all) to 1 (fully)
    - "noise": how well two answers of the baseline to the same request agree, on the same scale
    - "expected", "got": the classes that the baseline and the candidate returned
    - "defect": the side whose answer has a defect: "candidate", "baseline", "both" or "neither"
    - "exact_call": whether both answers make the same tool calls
    - "preference": 1 if the candidate's answer is preferred, 0 if the baseline's, 0.5 if neither
    - "correct": how correct each answer is, such as {"baseline": 1, "candidate": 0.5}
    - "exact": whether the candidate's answer equals the baseline's
    - "feedback": a user's score from 0 to 1 for the answer of "side"

    All keys from "ttft_ms" on are optional.

    The result is one JSON object on stdout. If the file lacks events that a gate needs, a warning goes to stderr. If no
    gate takes part in decisions, the command reports "hold". A live ramp would then advance after the configured hold
    time and minimum number of samples. The exit status is 2 if the file cannot be read or has an invalid line.
    """
    section, seen, share = load_config(config).workload(workload), KeysSeen(), _configured_share(percent)
    if str(outcomes) == "-":
        with delayed_progress_bar("reading events", None) as advance:
            result = _judge(section, sys.stdin.buffer, "<stdin>", share, seen, advance)
    else:
        try:
            with outcomes.open("rb") as file, delayed_progress_bar("reading events", bytes_of(file)) as advance:
                result = _judge(section, file, str(outcomes), share, seen, advance)
        except OSError as error:
            raise InputError(f"{outcomes}: cannot be read: {error.strerror}") from error
    for warning in warnings(result.verdicts, seen):
        typer.echo(f"glidepath: {outcomes}: {warning}", err=True)
    typer.echo(json.dumps(result.to_json(workload), ensure_ascii=False))


def _configured_share(text: str | None) -> float | None:
    percent = percent_of("--percent", text)
    if percent is not None and not _LEAST_PERCENT <= percent <= 100 - _LEAST_PERCENT:
        raise InputError(f"--percent: must be from 0.01% to 99.99% (got {text!r})")
    return percent


def _judge(
    section: Workload, file: BinaryIO, name: str, percent: float | None, seen: KeysSeen, advance: Advance
) -> ReplayResult:
    # Of a line longer than MAX_LINE_BYTES, only a part is read; the parser then rejects it.
    lines = lines_with_progress(file, advance, MAX_LINE_BYTES + 2)
    return replay(section, parse_events(checked(lines, name, seen), name), percent)
