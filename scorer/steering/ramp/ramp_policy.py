"""The ramp's rules from the configuration: steps, waiting times, approvals and freeze windows.

Times are in milliseconds, shares in percent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from glidepath.config.cron_line import latest_match
from glidepath.config.ramp import Freeze, RampSection

MAX_DRILL_MS = 60_000  # a stage of a drill that takes longer fails the drill
DRILL_QUIET_MS = 2_000  # after this time without a request, the candidate counts as drained
DRILL_RAISE_MS = 3_000  # how long a drill from 0 % keeps its small weight


@dataclass(frozen=True, slots=True)
class RampPolicy:
    """The rules for one workload's ramp.

    - ``approvals``: the shares of the steps that a person must approve
    - ``unjudged``: the shares of the other steps that the ramp does not take automatically, because no gate judges the
      answers (ADR 0170). A person may approve or promote these steps
    - ``copied``: the configured percentage of the requests that are copied; 0 if the ramp cannot change it
    - ``idle_ms``: the time without a request after which the candidate counts as idle; 0: never
    """

    ramp: RampSection
    approvals: frozenset[float] = frozenset()
    unjudged: frozenset[float] = frozenset()
    cool_down_ms: int = 0
    auto_retry: bool = False
    max_retries: int = 0
    require_drill: bool = False
    validation_ms: int = 0
    copied: float = 100
    idle_ms: int = 0

    @property
    def steps(self) -> tuple[float, ...]:
        return self.ramp.steps

    @property
    def last(self) -> float:
        return self.steps[-1]

    def step_of(self, percent: float) -> int:
        """Return the index of the highest step that ``percent`` has reached; -1 below the first step."""
        return sum(1 for step in self.steps if step <= percent) - 1

    def next_step(self, percent: float) -> float | None:
        return next((step for step in self.steps if step > percent), None)

    def previous_step(self, percent: float) -> float:
        return next((step for step in reversed(self.steps) if step < percent), 0.0)

    def bake_ms(self, percent: float) -> int:
        """Return the minimum duration of the step at ``percent``, in milliseconds."""
        return round(self.ramp.rules_at(percent).hold * 1000)

    def samples_for(self, percent: float) -> int:
        """Return how many requests the candidate must serve at ``percent`` before the next step."""
        return self.ramp.rules_at(percent).min_samples

    def warm_up_ms(self, percent: float) -> int:
        """Return the duration of the candidate's warm-up before the step after ``percent``, in milliseconds."""
        return round(self.ramp.warm_up_time_at(percent) * 1000)

    def warm_up_share(self, percent: float) -> float | None:
        """Return the percentage of requests to copy at ``percent`` so that the candidate has the load of the next step.

        Return None if there is no next step, if all requests are copied already, or if the configuration copies none.
        """
        target = self.next_step(percent)
        if target is None or self.copied in (0, 100) or not self.warm_up_ms(percent):
            return None
        return round(100 * (seen_share(target, self.copied) - percent) / (100 - percent), 4)


def seen_share(percent: float, sample: float) -> float:
    """Return the percentage of all requests that the candidate receives at ``percent``, copies included.

    ``percent``: the candidate's share. ``sample``: the percentage of the baseline's requests that are copied to the
    candidate.
    """
    return percent + (100 - percent) * sample / 100


def policy_of(ramp: RampSection, *, judged: bool = True, copied: float = 100) -> RampPolicy:
    """Return the rules of a ``ramp`` section.

    ``judged``: whether a gate judges the answers of the workload. ``copied``: see RampPolicy.
    """
    approvals = (ramp.steps if ramp.approval else ()) if isinstance(ramp.approval, bool) else ramp.approval
    unjudged = frozenset() if judged else frozenset(step for step in ramp.steps if step > ramp.unjudged_limit)
    return RampPolicy(
        ramp=ramp,
        approvals=frozenset(approvals),
        unjudged=unjudged.difference(approvals),
        cool_down_ms=round(ramp.cool_down * 1000),
        auto_retry=ramp.retry == "auto",
        max_retries=ramp.max_retries,
        require_drill=ramp.require_drill,
        validation_ms=round(ramp.validation * 1000),
        copied=copied,
        idle_ms=ramp.idle_ms,  # the longest warm-up of all steps; computed once, because every flush needs it
    )


def frozen_by(windows: Sequence[Freeze], now_ms: int) -> str:
    """Return text about the freeze window that forbids a step at ``now_ms``; "" if there is no such window.

    A window opens at each match of its cron line, in its own time zone.
    """
    for window in windows:
        lasts = round(window.duration * 1000)
        opened = latest_match(window.cron, window.timezone, now_ms, lasts)
        if opened is not None:
            closes = datetime.fromtimestamp((opened + lasts) / 1000, ZoneInfo(window.timezone))
            # Another window may open before this one closes, or at that moment.
            reopens = latest_match(window.cron, window.timezone, opened + lasts, lasts) is not None
            later = " or later" if reopens else ""
            why = f": {window.reason}" if window.reason else ""
            return f"freeze window until {closes:%Y-%m-%d %H:%M} {window.timezone}{later}{why}"
    return ""
