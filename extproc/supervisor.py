"""Runs several workers, each in its own process, and restarts a worker that dies. Envoy sees them as one cluster.

The supervisor keeps the standard input of every worker open. When the supervisor ends, even by SIGKILL, that input is
closed. The worker then finishes its open work and exits.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from extproc.extproc_worker import ExtprocWorker, WorkerAddresses, run_worker, stop_on_signals
from glidepath.config import Config
from glidepath.errors import GlidepathError, UnreachableError, ungrouped
from glidepath.logs import configure_logging, get_logger
from glidepath.timed_wait import wait_until_set

_log = get_logger(__name__)
FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 10.0
STEADY_S = 30.0  # after a worker has run this long, its restart delay is reset to the shortest
NICENESS = 10  # on the scale of nice(1): Envoy has 0, and 19 is the lowest priority
CANNOT_START = 2  # exit status for an error that a user must fix


def with_workers(config: Config, workers: int | None) -> Config:
    """Return ``config`` with ``workers`` as its number of workers, or unchanged if ``workers`` is None."""
    if workers is None or workers == config.extproc.workers:
        return config
    return config.model_copy(update={"extproc": config.extproc.model_copy(update={"workers": workers})})


def yield_to_envoy() -> None:
    """Lower this process's CPU priority below Envoy's: extproc only reads copies, so it may wait."""
    if os.getpriority(os.PRIO_PROCESS, 0) < NICENESS:
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)


async def serve(config: Config, path: Path, workers: int | None) -> None:
    """Run one worker in this process, or several as child processes, until a signal asks to stop."""
    configure_logging("extproc")
    yield_to_envoy()
    config = with_workers(config, workers)
    if config.extproc.workers == 1:
        await run_worker(config, 0)
    else:
        await WorkerSupervisor(path, config.extproc.workers, config.extproc.drain).run()


async def serve_child(config: Config, index: int) -> None:
    """Run one of several workers in this process. When the supervisor ends, the worker finishes its work and exits."""
    configure_logging(f"extproc-{index}")
    yield_to_envoy()
    worker = ExtprocWorker(config, WorkerAddresses.of(config, index))
    stop_on_signals(worker.stop)
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        with ungrouped(GlidepathError):
            async with asyncio.TaskGroup() as tasks:
                watch = tasks.create_task(_stop_at_end(reader, worker))
                await worker.run()
                watch.cancel()
    finally:
        transport.close()


async def _stop_at_end(reader: asyncio.StreamReader, worker: ExtprocWorker) -> None:
    await reader.read()
    worker.stop()


class WorkerSupervisor:
    """Keeps ``count`` workers running. It restarts a crashed worker after a delay that grows with each crash."""

    def __init__(self, config_path: Path, count: int, drain_s: float) -> None:
        self._path, self._count, self._drain_s = config_path, count, drain_s
        self._stop = asyncio.Event()
        self._cannot_start: int | None = None
        self.restarts = 0

    async def run(self) -> None:
        stop_on_signals(self._stop.set)
        async with asyncio.TaskGroup() as tasks:
            for index in range(self._count):
                tasks.create_task(self._keep_running(index))
        if self._cannot_start is not None:
            raise UnreachableError(f"worker {self._cannot_start} cannot start; see its error message above")

    async def _keep_running(self, index: int) -> None:
        loop = asyncio.get_running_loop()
        wait, first = FIRST_WAIT_S, True
        while not self._stop.is_set():
            started = loop.time()
            process = await self._start(index)
            status = await self._until_end(process)
            if self._stop.is_set():
                return
            if first and status == CANNOT_START:  # a restart would fail with the same error
                self._cannot_start = index
                self._stop.set()
                return
            first = False
            if loop.time() - started > STEADY_S:
                wait = FIRST_WAIT_S
            self.restarts += 1
            _log.warning("worker_ended", worker=index, status=status, again_in_s=wait)
            await wait_until_set(self._stop, wait)
            wait = min(wait * 2, LONGEST_WAIT_S)

    async def _start(self, index: int) -> asyncio.subprocess.Process:
        arguments = ("-m", "extproc", str(self._path), str(index), str(self._count))
        return await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stdin=asyncio.subprocess.PIPE, start_new_session=True
        )

    async def _until_end(self, process: asyncio.subprocess.Process) -> int:
        """Wait until the worker's process has ended, and return its exit status.

        When the supervisor is stopped, send SIGTERM to the worker, and SIGKILL if it does not end in time.
        """
        ended = asyncio.ensure_future(process.wait())
        stopped = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait((ended, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                process.send_signal(signal.SIGTERM)
                await asyncio.wait((ended,), timeout=3 * self._drain_s + 2)
            if not ended.done():
                process.kill()
            return await ended
        finally:
            stopped.cancel()
