"""Everything of ours on one machine: Redis, Envoy, extproc and scorer as children, started in order and watched."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import yaml

from glidepath.config import Config
from glidepath_ops.local.child_process import Child, answers
from glidepath_ops.local.servers import answers_ok, spawn_envoy, spawn_redis

NICE = 10  # our own processes give way to Envoy where they share its processors


@dataclass(frozen=True, slots=True)
class Service:
    """How one child is started, and when it counts as ready."""

    name: str
    spawn: Callable[[], Child]
    ready: Callable[[], bool]
    timeout: float = 30.0


class Stack:
    """Children by name, in the order they were started; a context manager that stops them in the reverse order."""

    def __init__(self) -> None:
        self.services: dict[str, Service] = {}
        self.children: dict[str, Child] = {}

    def start(self, *services: Service) -> None:
        """Start them all at once, then wait for each. Raises UnreachableError with the log's end."""
        for service in services:
            self.services[service.name] = service
            self.children[service.name] = service.spawn()
        for service in services:
            self.children[service.name].wait_until(service.ready, service.timeout)

    def dead(self) -> list[Child]:
        """The children that have ended though nobody stopped them."""
        return [child for child in self.children.values() if not child.alive]

    def restart(self, name: str) -> Child:
        """A new child in the place of a dead one; it may not be ready yet."""
        self.children[name] = self.services[name].spawn()
        return self.children[name]

    def tails(self, lines: int = 10) -> str:
        """The ends of all logs, for a person who must find out what went wrong."""
        return "\n".join(f"--- {name}\n{child.tail(lines)}" for name, child in self.children.items())

    def stop(self, timeout: float = 5) -> None:
        for child in reversed(self.children.values()):
            child.stop(timeout)

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()


def write_config(config: Config, path: Path) -> None:
    """The configuration as a file that ``load_config`` reads back equal."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = config.model_dump(mode="json", exclude_unset=True, by_alias=True)
    path.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))


def with_addresses(config: Config, *, admin: str | None = None, redis: str | None = None) -> Config:
    """The configuration as the children need it: with the addresses of an Envoy and a Redis that we start."""
    data = config.model_dump(mode="json", exclude_unset=True, by_alias=True)
    if admin is not None:
        data["envoy"] = {**data.get("envoy", {}), "admin": [admin]}
    if redis is not None:
        data["redis"] = {"url": redis}
    return Config.model_validate(data)


def redis_service(folder: Path, port: int, *options: str) -> Service:
    return Service("redis", lambda: spawn_redis(folder, port, *options), lambda: answers("127.0.0.1", port))


def envoy_service(bootstrap: Path, admin: str, log: Path, concurrency: int | None) -> Service:
    return Service(
        "envoy",
        lambda: spawn_envoy(bootstrap, log, concurrency=concurrency),
        lambda: answers_ok(f"{admin}/ready"),
    )


def part_service(part: str, config: Path, metrics: str, logs: Path, nice: int = 0) -> Service:
    """``glidepath extproc`` or ``glidepath scorer`` with ``config``; ready when its /readyz says so."""
    command = [sys.executable, "-m", "glidepath_ops", part, "-c", str(config)]
    return Service(
        part,
        lambda: Child(part, command, logs / f"{part}.log", nice=nice),
        lambda: answers_ok(f"http://{metrics}/readyz"),
    )


@dataclass(slots=True)
class Backoff:
    """Seconds to wait before each restart: 1, 2, 4, … up to ``limit``; back to 1 after a minute without a death."""

    limit: float = 30.0
    quiet: float = 60.0
    deaths: int = 0
    last: float = float("-inf")

    def after_death(self, now: float) -> float:
        """The time at which to start again."""
        self.deaths = 1 if now - self.last > self.quiet else self.deaths + 1
        delay = min(self.limit, 2.0 ** (self.deaths - 1))
        self.last = now + delay
        return now + delay


class Supervisor:
    """Starts again what died, ever more slowly. Call ``tick`` a few times a second."""

    def __init__(self, stack: Stack, say: Callable[[str], None]) -> None:
        self.stack, self.say = stack, say
        self.backoff: dict[str, Backoff] = {}
        self.due: dict[str, float] = {}

    def tick(self, now: float | None = None) -> None:
        """``now``: seconds on a monotonic clock."""
        now = time.monotonic() if now is None else now
        for child in self.stack.dead():
            if child.name not in self.due:
                self._died(child, now)
            elif now >= self.due[child.name]:
                del self.due[child.name]
                self.say(f"starting {child.name} again")
                self.stack.restart(child.name)

    def _died(self, child: Child, now: float) -> None:
        at = self.backoff.setdefault(child.name, Backoff()).after_death(now)
        self.due[child.name] = at
        self.say(f"{child.name} ended with status {child.process.returncode}; starting it again in {at - now:g} s")
