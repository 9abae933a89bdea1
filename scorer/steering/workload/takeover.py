"""How a track begins: from the stored state, from this process's memory a moment ago, or with neither.

With neither, the streams may still hold a long history. It must not be lived again: what commands once asked for was
asked of another state, and the evidence is of another step. So nothing that was said before is obeyed but a way back or
a stop that no leader has answered yet; outcomes and pairs of before are counted and left out (Track.fold).
"""

from __future__ import annotations

import json
from dataclasses import replace

import structlog

from glidepath.config import Config
from glidepath.errors import InputError
from scorer.steering.interfaces import EvidenceKind
from scorer.steering.state_store import Store
from scorer.steering.workload.workload import Track

log = structlog.get_logger()


async def taken_up(
    name: str, config: Config, kind: EvidenceKind, store: Store, now_ms: int, former: Track | None = None
) -> tuple[Track, bool]:
    """The track of ``name`` at ``now_ms`` of Redis' clock, and whether there was no state at all.

    ``former``: what this process knew a moment ago, for when Redis has lost everything meanwhile.
    """
    track, unreadable = Track(name, config, kind), ""
    try:
        blob = await store.load(name)
        if blob is None and former is not None:
            log.error("state_lost", workload=name, effect="goes on from this process's memory")
            blob = json.loads(former.blob())
        if blob is not None:
            track.restore(blob, now_ms)
            return track, False
    except InputError as error:
        log.error("state_unreadable", workload=name, reason=str(error), effect="held; weights stay")  # noqa: TRY400
        track, unreadable = Track(name, config, kind), str(error)
    track.start(now_ms)
    track.disregard(await store.salvage(name, now_ms), now_ms)
    if unreadable:
        track.state = replace(track.state, first_start=True, held_reason=unreadable)
    return track, not unreadable
