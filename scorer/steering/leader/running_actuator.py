"""The actuator of this scorer, from the beginning of its term until another scorer leads.

Some actuators (``lasts``) keep reading the Envoys after the term. So this scorer can still send a failing candidate
back to 0 % while Redis does not answer. Each term begins with a new actuator, which has no readings of an earlier term.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from glidepath.errors import error_text_with_type
from glidepath.logs import get_logger
from scorer.steering.envoy.actuator import Actuator

log = get_logger()


class RunningActuator:
    """Runs one actuator at a time, in a task of its own."""

    def __init__(self, make: Callable[[], Actuator]) -> None:
        self._make = make
        self._actuator: Actuator | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def present(self) -> Actuator | None:
        return self._actuator

    async def begin(self) -> Actuator:
        """Begin a term with a new actuator."""
        await self.end()
        actuator = self._actuator = self._make()
        self._task = asyncio.create_task(actuator.run())
        return actuator

    async def failed(self) -> None:
        """Wait until the actuator ends, and raise its error. The caller cancels this at the end of the term."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def end_term(self) -> None:
        """End the actuator. If ``lasts`` is true, end only its part that needs the leader's lease."""
        if self._actuator is None:
            return
        self._actuator.end_term()
        if not self._actuator.lasts:
            await self.end()

    async def end(self) -> None:
        task, self._task, self._actuator = self._task, None, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled() and (error := task.exception()) is not None:
                log.debug("actuator_ended", reason=error_text_with_type(error))  # ``failed`` has raised it in the term
