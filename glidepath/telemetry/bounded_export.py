"""A bounded queue in front of an exporter that may be slow or dead.

OpenTelemetry's own batch processor silently drops items when its queue is full. Here, all lost items are counted, and
no caller waits: ``put`` only appends, and a separate thread calls the exporter.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """The limits of a queue.

    ``most``: waiting items. ``batch``: items in one export. ``every_s``: seconds between two exports.
    """

    most: int
    batch: int = 512
    every_s: float = 5.0


@dataclass(slots=True)
class ExportCounts:
    """The numbers of items that were exported, refused by the collector, and dropped because the queue was full."""

    exported: int = 0
    failed: int = 0
    dropped: int = 0


class BoundedExport(Generic[T]):
    """Exports items in batches. ``export`` may block. It returns whether the collector has accepted the batch."""

    def __init__(
        self,
        export: Callable[[Sequence[T]], bool],
        limits: QueueLimits,
        name: str,
        on_change: Callable[[bool], None] = lambda _: None,
    ) -> None:
        """``on_change``: called in the exporting thread with False when the collector begins to refuse, True to accept.

        It is not called if the first batch is accepted.
        """
        self._export, self._limits, self._on_change = export, limits, on_change
        self._accepts = True
        self.counts = ExportCounts()
        self._waiting: deque[T] = deque()
        self._wake, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"otel {name}", daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Queue an item. If the queue is full or closed, drop and count it. Never waits. For one thread only."""
        if self._closing.is_set() or len(self._waiting) >= self._limits.most:
            self.counts.dropped += 1
            return
        self._waiting.append(item)
        if len(self._waiting) >= self._limits.batch:
            self._wake.set()

    def close(self, within_s: float) -> None:
        """Export the waiting items for at most ``within_s`` seconds. The items that remain are counted as dropped."""
        self._closing.set()
        self._wake.set()
        self._thread.join(within_s)
        while self._waiting:
            try:
                self._waiting.popleft()
            except IndexError:  # the thread took it
                break
            self.counts.dropped += 1

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(self._limits.every_s)
            self._wake.clear()
            self._export_all()
        self._export_all()

    def _export_all(self) -> None:
        while batch := self._next_batch():
            try:
                accepted = self._export(batch)
            except Exception:  # whatever an exporter raises, it costs only telemetry
                accepted = False
            if accepted is not self._accepts:
                self._accepts = accepted
                self._on_change(accepted)
            if accepted:
                self.counts.exported += len(batch)
            else:
                self.counts.failed += len(batch)

    def _next_batch(self) -> list[T]:
        batch: list[T] = []
        while len(batch) < self._limits.batch:
            try:
                batch.append(self._waiting.popleft())
            except IndexError:  # empty; ``close`` also takes items out
                break
        return batch
