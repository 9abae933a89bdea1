"""``glidepath judge``: the gates as a standalone judge of a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from glidepath.config import load_config
from glidepath.errors import InputError
from scorer.evidence.judging import MAX_LINE_BYTES, judge, parse_events


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
    "noise"?}. Prints one JSON object; exit status 2 for a file that cannot be read.
    """
    section = load_config(config).workload(workload)
    if str(outcomes) == "-":
        result = judge(section, parse_events(_lines(sys.stdin.buffer), "<stdin>"), percent)
    else:
        try:
            with outcomes.open("rb") as file:
                result = judge(section, parse_events(_lines(file), str(outcomes)), percent)
        except OSError as error:
            raise InputError(f"{outcomes}: cannot be read: {error.strerror}") from error
    typer.echo(json.dumps(result.to_json(workload), ensure_ascii=False))


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines, none of them longer than one that will be refused."""
    return iter(lambda: file.readline(MAX_LINE_BYTES + 2), b"")
