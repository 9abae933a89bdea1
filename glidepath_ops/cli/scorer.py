"""``glidepath scorer``: scores pairs, and steers while it holds the lease."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Annotated

import typer

from scorer.scoring.worker.scoring_process.spawn_process import spawn


def command(
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration.")] = Path("glidepath.yaml"),
) -> None:
    """Run the scorer alone (scores pairs, steers when it holds the lease).

    Any number of replicas: all score, one at a time steers. State is only in Redis.
    """
    asyncio.run(_serve(config))


async def _serve(path: Path) -> None:
    # First of all: both processes have half a second of imports before them, and two cores to do them on.
    child = await spawn()
    try:
        from glidepath.config import load_config
        from glidepath.config.loader import locate
        from glidepath.logs import configure_logging
        from scorer.scoring.worker.scoring_process.process_client import ProcessScorer

        settings = load_config(path)
        configure_logging("scorer")
        scorer = ProcessScorer(settings, child=child)
        await scorer.launch()
        from scorer.service import serve

        await serve(settings, locate(path, "redis", "url"), scorer)
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
