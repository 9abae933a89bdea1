"""The decision log as JSON lines in a file, beside the one in Redis.

A file that cannot be written (full disk, no permission, a volume that is away) is tried again for as long as the
process lives. Meanwhile the last decisions wait in memory; what does not fit is counted, and a line in the file says
so.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import structlog
from prometheus_client import Counter, Gauge

from glidepath.clock import unix_ms
from glidepath.records import Decision, to_json
from glidepath.timed_wait import wait_until_set
from scorer.steering.notify.delivery import reason_of

BACKLOG = 10_000  # decisions that wait for the file
BATCH = 500
FIRST_PAUSE_S, MAX_PAUSE_S = 0.5, 30.0

log = structlog.get_logger()


class LogFile:
    """A sink. ``dropped`` counts what was lost, ``waiting`` shows the backlog."""

    kind = "file"

    def __init__(self, path: Path, dropped: Counter, waiting: Gauge | None = None, backlog: int = BACKLOG) -> None:
        self._path, self._dropped, self._waiting, self._most = path, dropped.labels(self.kind), waiting, backlog
        self._lines: deque[str] = deque()
        self._news = asyncio.Event()
        self._lost = 0
        self.problem = ""

    def announce(self, decision: Decision) -> None:
        self._lines.append(to_json(decision))
        if len(self._lines) > self._most:
            self._lose_oldest()
        self._show()
        self._news.set()

    def _lose_oldest(self) -> None:
        self._lines.popleft()
        self._lost += 1
        self._dropped.inc()

    async def run(self, stop: asyncio.Event) -> None:
        """Write until ``stop``, then what waits, once more."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._stopped(stop))
            pause_s = 0.0
            while not stop.is_set():
                if not self._lines:
                    self._news.clear()
                    await self._news.wait()
                elif await self._write():
                    pause_s = 0.0
                else:
                    pause_s = min(max(2 * pause_s, FIRST_PAUSE_S), MAX_PAUSE_S)
                    await wait_until_set(stop, pause_s)
        while self._lines and await self._write():
            pass
        if self._lines:
            log.error("log_file_lost", path=str(self._path), decisions=len(self._lines), reason=self.problem)

    async def _stopped(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._news.set()

    async def _write(self) -> bool:
        """One batch. False: the file cannot be written just now."""
        lost, batch = self._lost, [self._lines.popleft() for _ in range(min(BATCH, len(self._lines)))]
        gap = [_gap(lost)] if lost else []
        written, error = await asyncio.to_thread(_append, self._path, [*gap, *batch])
        if gap and written:
            self._lost -= lost
        self._lines.extendleft(reversed(batch[max(written - len(gap), 0) :]))
        while len(self._lines) > self._most:
            self._lose_oldest()
        self._show()
        if error is not None:
            reason = reason_of(error)
            if reason != self.problem:
                log.warning("log_file_unwritable", path=str(self._path), reason=reason, effect="tried again")
            self.problem = reason
            return False
        if self.problem:
            log.info("log_file_again", path=str(self._path), lost=lost)
            self.problem = ""
        return True

    def _show(self) -> None:
        if self._waiting is not None:
            self._waiting.set(len(self._lines))


def log_file(path: str, dropped: Counter, waiting: Gauge | None = None) -> LogFile:
    return LogFile(Path(path), dropped, waiting)


def _gap(lost: int) -> str:
    """An append-only log must not hide a hole."""
    words = f"{lost} earlier decisions could not be written to this file; the stream in Redis has them"
    at_ms = unix_ms()
    gap = Decision(
        at_ms, "", event="log_gap", from_percent=0, to_percent=0, phase="", reason=words, details={"lost": lost}
    )
    return to_json(gap)


def _append(path: Path, lines: Sequence[str]) -> tuple[int, OSError | None]:
    """How many lines were written whole, and what went wrong."""
    written = 0
    try:
        torn = _ends_in_part_of_a_line(path)
        with path.open("ab", buffering=0) as file:
            for line in lines:
                left = (b"\n" if torn else b"") + line.encode() + b"\n"
                while left:
                    left = left[file.write(left) or 0 :]  # a short write: the next one says why
                written, torn = written + 1, False
    except OSError as error:
        return written, error
    return written, None


def _ends_in_part_of_a_line(path: Path) -> bool:
    """As a full disk or a killed process leaves it."""
    try:
        if not path.is_file() or path.stat().st_size == 0:
            return False
        with path.open("rb") as file:
            file.seek(-1, 2)
            return file.read(1) != b"\n"
    except OSError:  # may be written, but not read
        return False
