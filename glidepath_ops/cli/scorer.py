"""``glidepath scorer``: run a scorer, which scores pairs and, while it is the leader, sets the weights at Envoy."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, ConfigPath
from scorer.scoring.worker.scoring_process.spawn_process import spawn


def command(
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Score answer pairs; one scorer at a time also sets the traffic weights at Envoy.

    You can run any number of scorers. All of them score. Of the scorers with the same scorer.group, only the leader
    sets weights: the scorer that holds the group's leadership lease in Redis. If it stops renewing this lease, another
    scorer takes over. All state is in Redis.
    """
    asyncio.run(_serve(config))


async def _serve(path: Path) -> None:
    # The child is spawned before the imports below, so that both processes import their modules at the same time.
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
