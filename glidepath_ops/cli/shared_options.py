"""The command line arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_CONFIG = Path("glidepath.yaml")

ConfigPath = Annotated[
    Path,
    typer.Option("--config", "-c", metavar="PATH", help="Configuration file, or a directory of configuration files."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]
AsJsonLines = Annotated[bool, typer.Option("--json", help="Print the result as JSON, one object per line.")]
Workload = Annotated[str, typer.Argument(help="Name of the workload.")]
WorkloadOption = Annotated[str, typer.Option("--workload", "-w", help="Name of the workload.")]
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
