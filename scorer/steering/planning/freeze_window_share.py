"""The share of the coming weeks that freeze windows cover, which the estimated times of a ramp do not include. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from glidepath.config.cron_line import latest_match
from glidepath.config.ramp import Freeze

DAYS = 28
_EVERY_MS, _DAY_MS = 30 * 60_000, 86_400_000


def frozen_share(windows: Sequence[Freeze], now_ms: int) -> float:
    """Return the share (0 to 1) of the next DAYS days in which a freeze window is open, sampled every half hour."""
    moments = range(now_ms, now_ms + DAYS * _DAY_MS, _EVERY_MS)
    return sum(any(_is_open(one, at) for one in windows) for at in moments) / len(moments) if windows else 0.0


def _is_open(window: Freeze, at_ms: int) -> bool:
    return latest_match(window.cron, window.timezone, at_ms, round(window.duration * 1000)) is not None


def frozen_text(windows: Sequence[Freeze], now_ms: int) -> str:
    """Return a text about the time in which no step is taken; "" without freeze windows."""
    share = frozen_share(windows, now_ms)
    if share == 1:
        return f"freeze: a window is open at every moment of the next {DAYS} days, so no step is taken; shorten it"
    if not windows:
        return ""
    return f"freeze windows cover {share:.0%} of the next {DAYS} days; the times do not include them"


def always_frozen(windows: Sequence[Freeze], now_ms: int) -> str:
    """Return the text of ``frozen_text`` if no step can be taken in the next DAYS days; "" otherwise."""
    return frozen_text(windows, now_ms) if frozen_share(windows, now_ms) == 1 else ""
