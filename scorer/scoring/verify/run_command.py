"""Run a command without a shell, with limits on its time, memory, files and output.

The command's environment has none of the scorer's secrets. But the command runs as the same user as the scorer, so it
can read everything that this user can read: files with secrets, and the scorer's environment in /proc.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scorer.scoring.killed_process import wait_for_killed
from scorer.scoring.verify import limit_and_exec

MAX_OUTPUT = 65_536  # bytes
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
_PIECE = 16_384


class NoResultError(Exception):
    """The command or the endpoint gave no result. The text is the reason, such as "timeout"."""


@dataclass(frozen=True, slots=True)
class CommandLimits:
    """The limits of one run: ``seconds`` of wall-clock time, and ``memory``, the bytes of address space."""

    seconds: float
    memory: int


def environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a command: only variables that hold no secrets."""
    return {name: inherited[name] for name in _KEPT_VARIABLES if name in inherited}


async def run_command(
    command: Sequence[str], data: bytes, limits: CommandLimits, *, show_errors: bool = False
) -> bytes:
    """Return what the command writes to stdout for ``data`` on stdin.

    ``show_errors``: whether the command's stderr goes to this process' stderr. Otherwise stderr is discarded, because
    it may quote answers. Raises NoResultError if the command fails or exceeds a limit. In every case, the remaining
    processes of the command's process group are killed at the end. A child that has left the group (setsid) is not
    killed.
    """
    wrapper = (sys.executable, "-I", "-S", str(Path(limit_and_exec.__file__)))
    try:
        process = await asyncio.create_subprocess_exec(
            *wrapper,
            str(limits.memory),
            str(limits.seconds),
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=None if show_errors else DEVNULL,
            env=environment(os.environ),
            start_new_session=True,
        )
    except OSError as error:  # for example, too many processes
        raise NoResultError("not_started") from error
    try:
        async with asyncio.timeout(limits.seconds):
            output = await _exchange(process, data)
            status = await process.wait()
    except TimeoutError as error:
        raise NoResultError("timeout") from error
    finally:
        await _end(process)
    if status:
        raise NoResultError(
            "not_started" if status == limit_and_exec.NOT_STARTED else "exit" if status > 0 else "killed"
        )
    return output


async def _exchange(process: Process, data: bytes) -> bytes:
    """Send ``data`` and return the output. Both happen at the same time, because either pipe may be full."""
    feeding = asyncio.ensure_future(_feed(process, data))
    try:
        return await _output(process)
    finally:
        feeding.cancel()
        await asyncio.wait([feeding])


async def _feed(process: Process, data: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    with contextlib.suppress(OSError):  # the command need not read all of it
        process.stdin.write(data)
        await process.stdin.drain()
        process.stdin.close()


async def _output(process: Process) -> bytes:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    output = bytearray()
    while piece := await process.stdout.read(_PIECE):
        output += piece
        if len(output) > MAX_OUTPUT:
            raise NoResultError("output")
    return bytes(output)


async def _end(process: Process) -> None:
    """Kill the remaining processes of the command's process group, close the pipes, and wait for the command's end.

    Children in the group may still run after the command has ended. The kernel does not reuse the number of a group
    while the group has members. A PermissionError means that the remaining members run as another user.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await wait_for_killed(process)
