"""The two sides of a migration, and the origins of requests."""

from __future__ import annotations

from enum import StrEnum


class Side(StrEnum):
    """A side of a migration: the baseline, which serves the traffic now, or the candidate, which may replace it."""

    BASELINE = "baseline"
    CANDIDATE = "candidate"

    @property
    def other(self) -> Side:
        return Side.CANDIDATE if self is Side.BASELINE else Side.BASELINE


class Origin(StrEnum):
    """The cause of a request: a client, the tee (which sends copies), or a synthetic probe."""

    LIVE = "live"
    SHADOW = "shadow"
    PROBE = "probe"
