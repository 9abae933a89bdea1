"""``glidepath scorer``: scores pairs, and steers while it holds the lease."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from glidepath.config import Config, load_config
from glidepath.config.loader import locate
from glidepath.logs import configure_logging


def command(
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration.")] = Path("glidepath.yaml"),
) -> None:
    """Run the scorer alone (scores pairs, steers when it holds the lease).

    Any number of replicas: all score, one at a time steers. State is only in Redis.
    """
    settings = load_config(config)
    configure_logging("scorer")
    asyncio.run(_serve(settings, locate(config, "redis", "url")))


async def _serve(settings: Config, redis_place: str) -> None:
    from scorer.worker.process import ProcessScorer

    scorer = ProcessScorer(settings)
    try:
        await scorer.launch()
        from scorer.service import serve  # half a second, in which the other process loads its engine

        await serve(settings, redis_place, scorer)
    finally:
        await scorer.close()
