"""``glidepath calibrate``: thresholds from stored scores, as a fragment of the configuration with its reasons."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from glidepath.cli.client import with_redis
from glidepath.config import load_config
from glidepath.errors import InputError
from glidepath.keys import WorkloadKeys
from glidepath.redisio import RedisClient
from glidepath.wire import decode_scored
from scorer.planning.calibrate import History, fragment, propose

MAX_LINE_BYTES = 1_000_000
MOST = 20_000


def command(
    workload: Annotated[str, typer.Option("--workload", "-w", help="Whose results to read.")],
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration.")] = Path("glidepath.yaml"),
    source: Annotated[
        Path | None, typer.Option("--from", help="JSON lines with agreement, noise, latency_ms instead of Redis.")
    ] = None,
    last: Annotated[int, typer.Option(min=10, max=MOST, help="How many of the latest results to read.")] = 10_000,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Propose thresholds from the noise floor and stored pairs."""
    section = load_config(config).workload(workload)
    history = read_file(source) if source else with_redis(config, lambda _, client: read_redis(client, workload, last))
    proposals = propose(section, history)
    if not proposals:
        raise InputError(f"no scored pairs of {workload} yet: nothing to calibrate from")
    if as_json:
        typer.echo(json.dumps({"workload": workload, "proposals": [dataclasses.asdict(p) for p in proposals]}))
    else:
        typer.echo(fragment(workload, proposals))


async def read_redis(client: RedisClient, workload: str, last: int) -> History:
    """The latest results of the workload. Raises RedisError, OSError, and InputError for what is no result."""
    entries = await client.xrevrange(WorkloadKeys(workload).results, count=last)
    return History.of([decode_scored(fields[b"r"]) for _, fields in entries if b"r" in fields])


def read_file(path: Path) -> History:
    """One JSON object a line, as for ``glidepath judge``; lines without scores are skipped. Raises InputError."""
    history, times = History(), []
    try:
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES), b""), start=1):
                if line.strip():
                    times += _add(history, _parse(line, f"{path}:{number}"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    history.span_s = max(times) - min(times) if times else 0.0
    return history


def _parse(line: bytes, where: str) -> dict[str, float]:
    try:
        raw: Any = json.loads(line)
        fields = {k: raw[k] for k in ("t", "agreement", "noise", "latency_ms") if raw.get(k) is not None}
        numbers = {k: float(v) for k, v in fields.items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{where}: not a JSON object with numbers: {error}") from error
    for key in ("agreement", "noise"):
        if not 0 <= numbers.get(key, 0) <= 1:
            raise InputError(f"{where}: {key}: must be 0 to 1 (got {numbers[key]:g})")
    if raw.get("side") == "candidate":
        numbers.pop("latency_ms", None)
    return numbers


def _add(history: History, numbers: dict[str, float]) -> list[float]:
    places = {"agreement": history.agreements, "noise": history.noises, "latency_ms": history.latencies}
    for key, values in places.items():
        if key in numbers:
            values.append(numbers[key])
    return [numbers["t"]] if "t" in numbers else []
