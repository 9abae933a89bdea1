"""Spawn the scoring process. This module imports little, so that the child can start as early as possible."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process

_COMMAND = "from scorer.scoring.worker.scoring_process.process_main import main; main()"


async def spawn() -> Process:
    """Start the scoring process (``process_main.py``). It waits for its configuration, and ends when its input ends.

    A Ctrl-C on the terminal does not reach it, so that the scorer can first finish its work.
    """
    command = (sys.executable, "-P", "-c", _COMMAND)
    return await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, start_new_session=True)
