"""``glidepath extproc``: run the ext_proc server."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from glidepath.config import load_config
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, ConfigPath


def command(
    config: ConfigPath = DEFAULT_CONFIG,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=1, max=64, help="Number of processes, each with its own address; default: extproc.workers."
        ),
    ] = None,
) -> None:
    """Run the ext_proc server beside an Envoy.

    It captures exchanges and copies requests to the other side. Live requests never wait for it. Each worker has its
    own address, so render Envoy's configuration with the same number of workers.
    """
    from extproc.supervisor import serve

    asyncio.run(serve(load_config(config), config, workers))
