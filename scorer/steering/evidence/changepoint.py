"""Find the bad period: the recent time in which the candidate has exceeded a limit.

Over the whole step, a candidate that broke a minute ago still looks healthy. So the message about a failure shows the
numbers of the bad period only. Fast guards also compare both sides within the bad period.

The period is found with a cumulative sum (Page, "Continuous inspection schemes", 1954). The counts restart whenever the
data counted so far is more likely at the limit than at the nearest alternative rate beyond the limit. So the rate
within a bad period is always beyond the limit.

See ADR 0041.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EventCounts:
    """The number of samples of both sides, and the number of samples with an event, such as an error.

    ``c_`` stands for the candidate, ``b_`` for the baseline, and ``n`` for the number of samples. If an event is split
    over several samples, each counts a fraction of it.
    """

    c_errors: int | float = 0
    c_n: int = 0
    b_errors: int | float = 0
    b_n: int = 0

    def __add__(self, other: EventCounts) -> EventCounts:
        errors = self.c_errors + other.c_errors, self.b_errors + other.b_errors
        return EventCounts(errors[0], self.c_n + other.c_n, errors[1], self.b_n + other.b_n)

    @property
    def rate(self) -> float | None:
        """The candidate's rate; None without samples."""
        return self.c_errors / self.c_n if self.c_n else None

    @property
    def base_rate(self) -> float | None:
        """The baseline's rate; None without samples."""
        return self.b_errors / self.b_n if self.b_n else None

    @property
    def increase(self) -> float | None:
        """The candidate's rate minus the baseline's; None if a side has no samples."""
        return None if self.rate is None or self.base_rate is None else self.rate - self.base_rate


@dataclass(frozen=True, slots=True)
class BadPeriod(EventCounts):
    """The samples of both sides since the present bad period began. Outside a bad period, all are zero.

    ``score``: the sum of the ``gain`` values that ``after`` has added.
    """

    score: float = 0.0

    def after(self, gain: float, c_errors: float, c_n: int, b_errors: float, b_n: int) -> BadPeriod:
        """Return the period with these counts added, or NO_BAD_PERIOD if the score is no longer positive.

        ``gain``: ln of the likelihood ratio of these counts. The ratio compares the nearest alternative rate beyond the
        limit with the limit.
        """
        score = self.score + gain
        if score <= 0:
            return NO_BAD_PERIOD
        return BadPeriod(self.c_errors + c_errors, self.c_n + c_n, self.b_errors + b_errors, self.b_n + b_n, score)


NO_BAD_PERIOD = BadPeriod()
