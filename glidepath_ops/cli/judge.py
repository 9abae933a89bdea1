"""``glidepath judge``: apply a workload's gates to a file of outcomes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from glidepath.config import Workload, load_config
from glidepath.errors import InputError
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, ConfigPath, WorkloadOption
from scorer.steering.evidence.replay import MAX_LINE_BYTES, ReplayResult, parse_events, replay
from scorer.steering.planning.recorded_events import KeysSeen, checked, warnings


def command(
    outcomes: Annotated[Path, typer.Argument(help="File of JSON lines, one event per line; - for standard input.")],
    workload: WorkloadOption,
    config: ConfigPath = DEFAULT_CONFIG,
    percent: Annotated[
        float | None,
        typer.Option(
            min=0.01, max=99.99, help="The candidate's configured share in percent; enables the check of the split."
        ),
    ] = None,
) -> None:
    """Apply a workload's gates to a file of outcomes.

    An event has the keys "t" (seconds), "side" ("baseline" or "candidate"), "ok" (true or false) and "latency_ms", and
    optionally "ttft_ms", "agreement", "noise", "expected" and "got". Prints one JSON object. Warns on stderr about
    gates that no event in the file can decide. If no gate is gating, the decision is hold, although the ramp itself
    would continue by time and samples. The exit status is 2 if the file cannot be read.
    """
    section, seen = load_config(config).workload(workload), KeysSeen()
    if str(outcomes) == "-":
        result = _judge(section, sys.stdin.buffer, "<stdin>", percent, seen)
    else:
        try:
            with outcomes.open("rb") as file:
                result = _judge(section, file, str(outcomes), percent, seen)
        except OSError as error:
            raise InputError(f"{outcomes}: cannot be read: {error.strerror}") from error
    for warning in warnings(result.verdicts, seen):
        typer.echo(f"glidepath: {outcomes}: {warning}", err=True)
    typer.echo(json.dumps(result.to_json(workload), ensure_ascii=False))


def _judge(section: Workload, file: BinaryIO, name: str, percent: float | None, seen: KeysSeen) -> ReplayResult:
    return replay(section, parse_events(checked(_lines(file), name, seen), name), percent)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Return the file's lines. A line that is too long to be accepted is cut."""
    return iter(lambda: file.readline(MAX_LINE_BYTES + 2), b"")
