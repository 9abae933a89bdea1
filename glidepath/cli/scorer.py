"""``glidepath scorer``: scores pairs, and steers while it holds the lease."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from glidepath.config import load_config
from glidepath.config.loader import locate
from glidepath.logs import configure_logging


def command(
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration.")] = Path("glidepath.yaml"),
) -> None:
    """Run the scorer alone (scores pairs, steers when it holds the lease).

    Any number of replicas: all score, one at a time steers. State is only in Redis.
    """
    from scorer.service import serve

    settings = load_config(config)
    configure_logging("scorer")
    asyncio.run(serve(settings, locate(config, "redis", "url")))
