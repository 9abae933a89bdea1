"""Record when the candidate had requests, because after an idle time it may be cold when requests come again.

An idle server may have fewer replicas, and its caches may have lost the usual prompts. Copies and probes keep a server
warm as clients' requests do, so all three count. See ADR 0491.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CandidateActivity:
    """The candidate's latest period with requests.

    - ``since_ms``: when the period began, after an idle time; 0 if no idle time is known
    - ``last_ms``: when the latest request ended; 0 if none is known
    """

    since_ms: int = 0
    last_ms: int = 0

    def after(self, at_ms: int, idle_ms: int) -> CandidateActivity:
        """Return the activity after a request that ended at ``at_ms``.

        ``idle_ms``: the time without a request after which the candidate counts as idle; 0: it never does.
        """
        resumed = 0 < idle_ms <= at_ms - self.last_ms if self.last_ms else False
        return CandidateActivity(at_ms if resumed else self.since_ms, max(self.last_ms, at_ms))

    def idle_for(self, now_ms: int, idle_ms: int) -> int:
        """Return how many milliseconds the candidate has been idle, or 0 if it is not idle."""
        quiet_ms = now_ms - self.last_ms if self.last_ms else 0
        return quiet_ms if 0 < idle_ms <= quiet_ms else 0


NO_ACTIVITY = CandidateActivity()
