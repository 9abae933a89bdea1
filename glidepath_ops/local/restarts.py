"""Restarts the child processes of a stack that have died, after growing delays."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from glidepath_ops.local.child_process import Child
from glidepath_ops.local.stack import Stack


@dataclass(slots=True)
class RestartDelay:
    """The delays before the restarts of one process: 1, 2, 4, … seconds, at most ``limit`` seconds.

    After ``quiet`` seconds without a death, the next delay is 1 second again.
    """

    limit: float = 30.0
    quiet: float = 60.0
    deaths: int = 0
    last: float = float("-inf")

    def after_death(self, now: float) -> float:
        """Record that the process died at ``now`` (in seconds), and return the time at which to restart it."""
        self.deaths = 1 if now - self.last > self.quiet else self.deaths + 1
        delay = min(self.limit, 2.0 ** (self.deaths - 1))
        self.last = now + delay
        return now + delay


class Restarter:
    """Restarts the dead processes of a stack. Its owner calls ``tick`` a few times a second.

    For each death and each restart, it calls ``print_line`` with a line of text.
    """

    def __init__(self, stack: Stack, print_line: Callable[[str], None]) -> None:
        self.stack, self.print_line = stack, print_line
        self.backoff: dict[str, RestartDelay] = {}
        self.due: dict[str, float] = {}

    def tick(self, now: float | None = None) -> None:
        """Schedule the restart of processes that have died, and restart those whose delay is over.

        ``now`` is the time of a monotonic clock in seconds.
        """
        now = time.monotonic() if now is None else now
        for child in self.stack.dead():
            if child.name not in self.due:
                self._schedule(child, now)
            elif now >= self.due[child.name]:
                del self.due[child.name]
                self.print_line(f"restarting {child.name}")
                self.stack.restart(child.name)

    def _schedule(self, child: Child, now: float) -> None:
        at = self.backoff.setdefault(child.name, RestartDelay()).after_death(now)
        self.due[child.name] = at
        self.print_line(f"{child.name} ended with status {child.process.returncode}; restarting it in {at - now:g} s")
