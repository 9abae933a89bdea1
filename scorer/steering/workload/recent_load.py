"""The clients' requests and tokens of a workload in each of the latest minutes, to compare them with quotas."""

from __future__ import annotations

from dataclasses import dataclass

from glidepath.outcome_summaries import PINNED, Outcomes
from glidepath.sides import Origin

MINUTE_MS = 60_000
KEPT = 16  # minutes: the present one, and the fifteen before it


@dataclass(frozen=True, slots=True)
class Minute:
    """The clients' requests of one minute: those that are split, and those that Envoy keeps at the baseline.

    ``answers``: the number of answers with known tokens. ``tokens``: the tokens of these answers and their requests.
    """

    number: int
    split: int = 0
    pinned: int = 0
    tokens: int = 0
    answers: int = 0


@dataclass(frozen=True, slots=True)
class LoadPerMinute:
    """The clients' requests of the busiest recent minute, and the mean tokens of a request with its answer.

    ``tokens``: None if the tokens of no answer are known.
    """

    split: int
    pinned: int
    tokens: float | None


@dataclass(frozen=True, slots=True)
class RecentLoad:
    """The latest minutes with requests, the newest last."""

    minutes: tuple[Minute, ...] = ()

    def with_flush(self, flush: Outcomes) -> RecentLoad:
        """Return the load with a flush added. All its requests are counted in the minute in which it ended."""
        found = _minute(flush)
        if not (found.split or found.pinned):
            return self
        by_number = {one.number: one for one in self.minutes}
        known = by_number.get(found.number)
        by_number[found.number] = found if known is None else _sum(known, found)
        newest = max(by_number)
        return RecentLoad(tuple(by_number[n] for n in sorted(by_number) if n > newest - KEPT))

    def busiest(self, now_ms: int, since_ms: int = 0) -> LoadPerMinute | None:
        """Return the load of the busiest of the last fifteen whole minutes; None if none of them had requests.

        ``since_ms``: when the counting began. The minute in which it began is not whole.
        """
        present = now_ms // MINUTE_MS
        first = max(present - KEPT + 1, -(-since_ms // MINUTE_MS))
        whole = [one for one in self.minutes if first <= one.number < present]
        if not whole:
            return None
        most = max(whole, key=lambda one: one.split + one.pinned)
        tokens, answers = sum(one.tokens for one in whole), sum(one.answers for one in whole)
        return LoadPerMinute(most.split, most.pinned, tokens / answers if answers else None)


def _minute(flush: Outcomes) -> Minute:
    live = [side for side in flush.sides if side.origin is Origin.LIVE]
    usages = [usage for side in live for usage in side.usage]
    return Minute(
        flush.to_ms // MINUTE_MS,
        sum(side.requests for side in live),
        sum(number for name, number in flush.coverage.items() if name.startswith(PINNED)),
        sum(usage.input + usage.output for usage in usages),
        sum(usage.answers for usage in usages),
    )


def _sum(one: Minute, other: Minute) -> Minute:
    return Minute(
        one.number,
        one.split + other.split,
        one.pinned + other.pinned,
        one.tokens + other.tokens,
        one.answers + other.answers,
    )
