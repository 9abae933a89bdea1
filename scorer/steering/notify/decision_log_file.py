"""Write the decision log as JSON lines to a file, in addition to the log in Redis.

A failed write is retried as long as the process runs; the cause may be a full disk, a missing permission or a missing
volume. Meanwhile, the latest decisions wait in memory. If there are too many, the oldest decisions are dropped and
counted, and a line in the file records their number.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from prometheus_client import Counter, Gauge

from glidepath.clock import unix_ms
from glidepath.logs import get_logger
from glidepath.status_and_decisions import Decision, to_json
from glidepath.timed_wait import wait_until_set
from scorer.steering.notify.delivery import reason_of

BACKLOG = 10_000  # the largest number of decisions that wait for the file
BATCH = 500
FIRST_PAUSE_S, MAX_PAUSE_S = 0.5, 30.0

log = get_logger()


class DecisionLogFile:
    """A receiver of decisions that appends them to a file.

    ``dropped`` counts the lost decisions; ``waiting`` shows how many decisions wait for the file.
    """

    kind = "file"

    def __init__(self, path: Path, dropped: Counter, waiting: Gauge | None = None, backlog: int = BACKLOG) -> None:
        self._path, self._dropped, self._waiting, self._backlog = path, dropped.labels(self.kind), waiting, backlog
        self._lines: deque[str] = deque()
        self._news = asyncio.Event()
        self._lost = 0
        self.problem = ""

    def announce(self, decision: Decision) -> None:
        self._lines.append(to_json(decision))
        if len(self._lines) > self._backlog:
            self._lose_oldest()
        self._show_backlog()
        self._news.set()

    def _lose_oldest(self) -> None:
        self._lines.popleft()
        self._lost += 1
        self._dropped.inc()

    async def run(self, stop: asyncio.Event) -> None:
        """Write the announced decisions until ``stop`` is set. Then try once more to write those that still wait."""
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
        """Write one batch of waiting decisions. Return False if the file cannot be written now."""
        lost, batch = self._lost, [self._lines.popleft() for _ in range(min(BATCH, len(self._lines)))]
        gap = [_gap_line(lost)] if lost else []
        written, error = await asyncio.to_thread(_append, self._path, [*gap, *batch])
        if gap and written:
            self._lost -= lost
        self._lines.extendleft(reversed(batch[max(written - len(gap), 0) :]))
        while len(self._lines) > self._backlog:
            self._lose_oldest()
        self._show_backlog()
        if error is not None:
            reason = reason_of(error)
            if reason != self.problem:
                log.warning("log_file_unwritable", path=str(self._path), reason=reason, effect="will be retried")
            self.problem = reason
            return False
        if self.problem:
            log.info("log_file_recovered", path=str(self._path), lost=lost)
            self.problem = ""
        return True

    def _show_backlog(self) -> None:
        if self._waiting is not None:
            self._waiting.set(len(self._lines))


def decision_log_file(path: str, dropped: Counter, waiting: Gauge | None = None) -> DecisionLogFile:
    return DecisionLogFile(Path(path), dropped, waiting)


def _gap_line(lost: int) -> str:
    """Return the line that records lost decisions, so that the append-only log does not hide the gap."""
    reason = f"{lost} earlier decisions could not be written to this file; they are in the stream in Redis"
    at_ms = unix_ms()
    decision = Decision(
        at_ms, "", event="log_gap", from_percent=0, to_percent=0, phase="", reason=reason, details={"lost": lost}
    )
    return to_json(decision)


def _append(path: Path, lines: Sequence[str]) -> tuple[int, OSError | None]:
    """Append the lines to the file. Return how many were written completely, and the error or None."""
    written = 0
    try:
        partial = _ends_in_part_of_a_line(path)
        with path.open("ab", buffering=0) as file:
            for line in lines:
                left = (b"\n" if partial else b"") + line.encode() + b"\n"
                while left:
                    left = left[file.write(left) or 0 :]  # after an incomplete write, the next write raises the error
                written, partial = written + 1, False
    except OSError as error:
        return written, error
    return written, None


def _ends_in_part_of_a_line(path: Path) -> bool:
    """Return whether the file's last line is incomplete, for example after a full disk or a killed process."""
    try:
        if not path.is_file() or path.stat().st_size == 0:
            return False
        with path.open("rb") as file:
            file.seek(-1, 2)
            return file.read(1) != b"\n"
    except OSError:  # the file may be writable but not readable
        return False
