"""Waits for the end of a child process of asyncio that was killed."""

from __future__ import annotations

from asyncio.subprocess import Process


async def wait_for_killed(process: Process) -> int:
    """Close the pipes of a process that was killed, wait for its end, and return its exit status.

    ``Process.wait`` alone may never return, because it also waits until the pipes are closed. An output pipe whose
    reading asyncio has paused is never closed, nor is an input pipe with unsent data that another process holds open.
    """
    stdin = process.stdin
    if stdin is not None and stdin.transport.get_write_buffer_size():
        stdin.transport.abort()
    # Not the whole transport: closing it may fetch the exit status, which the thread that waits for it then misses.
    for descriptor in range(3):
        pipe = process._transport.get_pipe_transport(descriptor)  # type: ignore[attr-defined]  # there is no public way
        if pipe is not None:
            pipe.close()
    return await process.wait()
