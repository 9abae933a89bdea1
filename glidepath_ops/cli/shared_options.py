"""The command line arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from glidepath.config import Config
from glidepath.config.units import format_duration, parse_duration, parse_percent
from glidepath.errors import InputError

DEFAULT_CONFIG = Path("glidepath.yaml")

ConfigPath = Annotated[
    Path,
    typer.Option("--config", "-c", metavar="PATH", help="Configuration file, or a directory of configuration files."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]
AsJsonLines = Annotated[bool, typer.Option("--json", help="Print the result as JSON, one object per line.")]
Workload = Annotated[str, typer.Argument(help="Name of the workload.")]
WorkloadOption = Annotated[str, typer.Option("--workload", "-w", help="Name of the workload.")]
WorkloadOrOnly = Annotated[
    str | None, typer.Option("--workload", "-w", help="Name of the workload; default: the only configured one.")
]
WorkloadFilter = Annotated[
    str | None, typer.Option("--workload", "-w", help="Name of one workload; default: all workloads.")
]
Reason = Annotated[str, typer.Option("--reason", help="Reason to record in the decision log.")]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="PATH",
        help="Write to this .yaml file, or to this directory; - is stdout; default: stdout.",
    ),
]


def only_workload(settings: Config, workload: str | None) -> str:
    """Return the given workload, or the only one in the configuration. Raises InputError or UnknownWorkloadError."""
    if workload is not None:
        settings.workload(workload)
        return workload
    return only_configured(settings)


def only_configured(settings: Config) -> str:
    """Return the only workload in the configuration. Raises InputError if there are several."""
    names = list(settings.workloads)
    if len(names) != 1:
        raise InputError(f"--workload: is needed, because several are configured ({', '.join(names)})")
    return names[0]


def seconds_of(option: str, text: str, most: float) -> float:
    """Return the seconds in the value ``text`` of an option, such as ``30s``. Raises InputError above ``most``."""
    seconds = quantity_of(option, text, parse_duration)
    if seconds > most:
        raise InputError(f"{option}: must be at most {format_duration(most)} (got {text[:40]!r})")
    return seconds


def percent_of(option: str, text: str | None) -> float | None:
    """Return the percent in the value ``text`` of an option, such as ``10`` or ``0.5%``; None without the option.

    Raises InputError if the text is not a percent.
    """
    return None if text is None else quantity_of(option, text, parse_percent)


def quantity_of(option: str, text: str, parse: Callable[[str], float]) -> float:
    """Return the number in the value ``text`` of an option. Raises InputError, which says how to write it."""
    try:
        return parse(text)
    except ValueError as error:
        raise InputError(f"{option}: {error} (got {text[:40]!r})") from error
