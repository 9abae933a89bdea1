"""Pauses the copies to a backend that limits its rate or fails.

Copies use the same account and the same servers as clients' requests. A backend that answers 429, to a copy or to a
client, gets no copies for the time of its ``retry-after``. A backend that fails several copies in a row gets one copy
after each pause, to notice its recovery. See ADR 0311.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

PAUSE_S = 10.0  # after a 429 without a usable retry-after; doubled by each further 429
LONGEST_S = 300.0
DOWN_AFTER = 5  # failed copies in a row
FIRST_RETRY_S, LAST_RETRY_S = 1.0, 15.0
_LONGEST_HEADER = 64


@dataclass(slots=True)
class _State:
    until: float = 0.0  # no copy before this time, by the monotonic clock
    rate_limited: int = 0  # 429s since the last good answer to a copy
    failures: int = 0  # failed copies since the last good answer to a copy


class CoolDowns:
    """The pauses of all backends in one process. In every method, ``now`` is monotonic seconds."""

    def __init__(self) -> None:
        self._states: dict[str, _State] = {}

    def allows(self, backend: str, now: float) -> bool:
        """Return whether a copy may be sent to a backend now. If the backend is down, also begin the next pause."""
        state = self._states.get(backend)
        if state is None or state.failures + state.rate_limited == 0:
            return True
        if now < state.until:
            return False
        if state.failures >= DOWN_AFTER:
            state.until = now + min(LAST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(state.failures - DOWN_AFTER, 10))
        return True

    def rate_limited(self, backend: str, retry_after: str, now: float, unix_now: float) -> None:
        """Begin a pause after a 429.

        ``retry_after`` is the value of the answer's ``retry-after`` header, or "". ``unix_now`` is the Unix time in
        seconds, from which a date in that header counts.
        """
        state = self._states.setdefault(backend, _State())
        if now >= state.until:  # the answers of copies in flight do not lengthen the pause
            state.rate_limited += 1
        wait = _seconds(retry_after, unix_now)
        if wait is None:
            wait = PAUSE_S * 2.0 ** min(state.rate_limited - 1, 10)
        state.until = max(state.until, now + min(wait, LONGEST_S))

    def failed(self, backend: str) -> None:
        """Count a copy that got no answer, a 5xx, or a 4xx that the same request would not get at another time."""
        self._states.setdefault(backend, _State()).failures += 1

    def answered(self, backend: str, now: float) -> None:
        """Reset the counts of failures after a good answer to a copy. A pause that a 429 began continues."""
        state = self._states.get(backend)
        if state is None:
            return
        state.failures = 0
        if now >= state.until or not state.rate_limited:
            del self._states[backend]

    def pausing(self, now: float) -> dict[str, float]:
        """Return the seconds until the next copy may be sent, for each backend whose copies are paused."""
        left = {name: state.until - now for name, state in self._states.items()}
        return {name: seconds for name, seconds in left.items() if seconds > 0}


def _seconds(retry_after: str, unix_now: float) -> float | None:
    """Return the seconds that a retry-after header asks to wait (RFC 9110, 10.2.3), or None without a usable value.

    A date that has passed is not usable: the clock of the server or of this machine may be wrong.
    """
    text = retry_after.strip()
    if not text or len(text) > _LONGEST_HEADER or not text.isascii():
        return None
    if text.replace(".", "", 1).isdigit():
        return float(text)
    wait = _unix_seconds(text) - unix_now
    return wait if wait > 0 else None


def _unix_seconds(date: str) -> float:
    """Return the Unix time of an HTTP date (RFC 9110, 5.6.7), or 0 if it is no date."""
    try:
        return parsedate_to_datetime(date).replace(tzinfo=UTC).timestamp()  # HTTP dates are in GMT
    except (ValueError, OverflowError, IndexError, TypeError):
        return 0.0
