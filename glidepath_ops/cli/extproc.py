"""``glidepath extproc``: the ext_proc server alone, beside an Envoy."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from glidepath.config import load_config


def command(
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration.")] = Path("glidepath.yaml"),
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, max=64, help="Processes, one address each (extproc.workers).")
    ] = None,
) -> None:
    """Run the ext_proc server alone (beside an Envoy).

    It captures exchanges and copies requests to the other side; it never stands in the production path. With several
    workers, render Envoy's configuration with the same number, since each has its own address.
    """
    from extproc.supervisor import serve

    asyncio.run(serve(load_config(config), config, workers))
