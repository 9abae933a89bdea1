"""The options and the processes of a running demo, and the state that its stages share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from redis.exceptions import RedisError

from glidepath.config import Config
from glidepath.errors import UnreachableError
from glidepath_ops.demo.client_load import Clients
from glidepath_ops.demo.demo_settings import DemoPlan, Ports
from glidepath_ops.demo.demo_state import DemoState, StateReader
from glidepath_ops.demo.injected_faults import InjectedFault
from glidepath_ops.demo.progress_display import Display, Snapshot
from glidepath_ops.demo.summary import Rollback
from glidepath_ops.local.shutdown_signals import Interrupt
from glidepath_ops.local.stack import Stack

LOG_WITHIN = 3.0  # seconds to wait until an event is in the log or the status, for example the rollback


@dataclass(frozen=True, slots=True)
class Options:
    plan: DemoPlan
    fault: InjectedFault
    keep: bool = False
    fault_share: float = 1.0  # the share of the candidate's answers that get the fault


@dataclass(frozen=True, slots=True)
class Setup:
    """The processes of the demo, which have been started, and their configuration."""

    options: Options
    config: Config
    ports: Ports
    folder: Path
    stack: Stack
    display: Display
    interrupt: Interrupt

    @property
    def client_url(self) -> str:
        return f"http://{self.config.envoy.listen}"

    @property
    def candidate_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.candidate}"


@dataclass(slots=True)
class Running:
    """The state of a running demo, which its stages share."""

    setup: Setup
    reader: StateReader
    clients: Clients
    started_ms: int
    stage: str = "promotion on evidence"
    rollback: Rollback | None = None
    problem: str = ""  # why the demo failed before the fault; empty if it did not

    @property
    def plan(self) -> DemoPlan:
        return self.setup.options.plan

    @property
    def fault(self) -> InjectedFault:
        return self.setup.options.fault

    @property
    def display(self) -> Display:
        return self.setup.display

    def elapsed(self) -> float:
        return time.time() - self.started_ms / 1000

    def show(self, seen: DemoState) -> None:
        self.display.show(Snapshot(self.elapsed(), seen, self.clients.stats, self.stage))

    async def until(self, condition: Callable[[DemoState], bool]) -> DemoState:
        """Poll and show the state of the demo until ``condition`` is true.

        Return the state. Raises UnreachableError if a process does not answer or has died; in the second case the error
        contains the end of its log.
        """

        def check(seen: DemoState) -> bool:
            self.show(seen)
            self.setup.stack.raise_if_dead()
            return condition(seen)

        try:
            return await self.reader.until(check)
        except (RedisError, aiohttp.ClientError) as error:
            self.setup.stack.raise_if_dead()
            raise UnreachableError(f"a part of the demo does not answer: {error}") from error
