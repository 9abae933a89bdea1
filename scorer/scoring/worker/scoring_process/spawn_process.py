"""Begin a scoring process. Little is imported here: it boots while its parent still reads the configuration."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process

_COMMAND = "from scorer.scoring.worker.scoring_process.process_main import main; main()"


async def spawn() -> Process:
    """A process that waits for its configuration (``scoring_process.py``) and ends when its input does."""
    return await asyncio.create_subprocess_exec(sys.executable, "-P", "-c", _COMMAND, stdin=PIPE, stdout=PIPE)
