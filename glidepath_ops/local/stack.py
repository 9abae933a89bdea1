"""A group of child processes: starts them, finds and restarts dead ones, and stops them in the reverse order."""

from __future__ import annotations

from functools import partial
from types import TracebackType

from glidepath.errors import UnreachableError
from glidepath_ops.local.child_process import Child
from glidepath_ops.local.services import Service


class Stack:
    """A group of named child processes. Used as a context manager, it stops all of them when the block ends.

    The service that was given to ``start`` last is stopped first.
    """

    def __init__(self) -> None:
        self.services: dict[str, Service] = {}
        self.children: dict[str, Child] = {}

    def start(self, *services: Service) -> None:
        """Start the services, and wait until each of them is ready.

        All are started at once, except those with ``waits``: each of these starts when the services before it are
        ready.

        Raises UnreachableError if a service does not become ready. The error contains the end of the service's log. If
        a process dies, the error names this process, not another one that waits for it.
        """
        for service in services:
            self.services[service.name] = service
            if not service.waits:
                self.children[service.name] = service.spawn()
        for service in services:
            if service.waits:
                self.children[service.name] = service.spawn()
            try:
                self.children[service.name].wait_until(partial(self._ready, service), service.timeout)
            except UnreachableError:
                self.raise_if_dead()
                raise

    def _ready(self, service: Service) -> bool:
        self.raise_if_dead()
        return service.ready()

    def raise_if_dead(self) -> None:
        """Raise UnreachableError if a process has ended.

        If several processes have ended, the error names the one started first.
        """
        for child in self.dead():
            raise UnreachableError(child.with_log(f"{child.name} ended with status {child.process.returncode}"))

    def dead(self) -> list[Child]:
        """Return the child processes that have ended, in the order of their first start."""
        return [child for child in self.children.values() if not child.alive]

    def restart(self, name: str) -> Child:
        """Start a dead child process again, and do not wait until it is ready."""
        self.children[name] = self.services[name].spawn()
        return self.children[name]

    def tails(self) -> str:
        """Return the last ten lines of every process's log, for error messages."""
        return "\n".join(f"--- {name}\n{child.tail(10)}" for name, child in self.children.items())

    def stop(self, timeout: float = 5) -> None:
        for name in reversed(self.services):
            if name in self.children:
                self.children[name].stop(timeout)

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()
