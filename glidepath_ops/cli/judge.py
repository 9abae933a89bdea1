"""``glidepath judge``: the gates as a standalone judge of a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from glidepath.config import Workload, load_config
from glidepath.errors import InputError
from scorer.steering.evidence.replay import Judgement, judge, parse_events
from scorer.steering.planning.event_lines import MAX_LINE_BYTES, Seen, checked, warnings


def command(
    outcomes: Annotated[Path, typer.Argument(help="JSON lines, one event each; - for standard input.")],
    workload: Annotated[str, typer.Option("--workload", "-w", help="Whose gates to apply.")],
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration.")] = Path("glidepath.yaml"),
    percent: Annotated[
        float | None, typer.Option(min=0.01, max=99.99, help="The candidate's share that was set; guards the split.")
    ] = None,
) -> None:
    """Judge a file of outcomes with the same gates.

    An event is {"t": seconds, "side": "baseline" or "candidate", "ok": bool, "latency_ms": …, "ttft_ms"?, "agreement"?,
    "noise"?, "expected"?, "got"?}. Prints one JSON object; exit status 2 for a file that cannot be read. What no event
    of the file can decide is said on stderr: where no gate is gating, the decision is hold, while the ramp itself would
    go on by time and samples.
    """
    section, seen = load_config(config).workload(workload), Seen()
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


def _judge(section: Workload, file: BinaryIO, name: str, percent: float | None, seen: Seen) -> Judgement:
    return judge(section, parse_events(checked(_lines(file), name, seen), name), percent)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines, none of them longer than one that will be refused."""
    return iter(lambda: file.readline(MAX_LINE_BYTES + 2), b"")
