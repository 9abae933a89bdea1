"""Answers that begin after minutes, like those of a large model that does not stream."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from tests.mesh.traffic import Caller, backends, statuses
from tests.support.recording_backend import Recorder

SILENCE_S = 130  # longer than the usual limits of proxies, which are 15 s, 60 s and 2 minutes
_EACH = 20  # requests of each caller: at a share of 50 % both backends get some


async def check_long_silence(servers: Sequence[Recorder], callers: Sequence[Caller]) -> None:
    """Check that each of ``servers`` answers after the silence, and that every request gets status 200."""
    for one in servers:
        one.delay = SILENCE_S
    seen = sum(await asyncio.gather(*(one.ask() for one in [*callers] * _EACH)), Counter())
    assert statuses(seen) == {200}
    assert set(backends(seen)) == {one.name for one in servers}
