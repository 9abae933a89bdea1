"""A limit on the rate of calls, which allows short bursts. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class CallRate:
    """Allows at most ``per_second`` calls in a second, on average.

    After a pause, a burst of ``per_second`` calls is allowed.
    """

    per_second: float
    _spent: float = 0.0  # calls that count against the limit
    _at: float = 0.0

    def take(self, now: float) -> bool:
        """Count a call and return True if the limit allows it, else return False. ``now``: monotonic seconds."""
        self._spent = max(0.0, self._spent - max(0.0, now - self._at) * self.per_second)
        self._at = max(now, self._at)
        if self._spent + 1 > max(1.0, self.per_second):
            return False
        self._spent += 1
        return True
