"""``glidepath extproc``: run the ext_proc (external processing) server of an Envoy."""

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
        typer.Option("--workers", min=1, max=64, help="Number of worker processes; default: extproc.workers."),
    ] = None,
) -> None:
    """Run the ext_proc (external processing) server of an Envoy.

    The server captures requests and answers, and copies requests to the other backend. Live requests never wait for it.
    Envoy's configuration contains one address per worker, so the number of workers must equal extproc.workers in the
    configuration used for `glidepath render`.
    """
    from extproc.supervisor import serve

    asyncio.run(serve(load_config(config), config, workers))
