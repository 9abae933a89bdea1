"""A queue in front of an exporter never waits, is bounded, and counts every loss."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from glidepath.telemetry.bounded_export import BoundedExport, QueueLimits


class Exporter:
    """An exporter that takes batches while ``open`` is set. ``accepts``: its result for a batch; None: an error."""

    def __init__(self, *, is_open: bool = True, accepts: bool | None = True) -> None:
        self.open, self.entered, self.accepts = threading.Event(), threading.Event(), accepts
        self.batches: list[list[int]] = []
        if is_open:
            self.open.set()

    def __call__(self, batch: Sequence[int]) -> bool:
        self.entered.set()
        assert self.open.wait(60)
        if self.accepts is None:
            raise OSError("the collector is dead")
        self.batches.append(list(batch))
        return self.accepts


@given(st.integers(0, 40), st.integers(1, 10), st.integers(1, 40))
def test_every_item_is_exported_once_in_order_or_counted(items: int, batch: int, most: int) -> None:
    exporter = Exporter()
    queue = BoundedExport(exporter, QueueLimits(most, batch, 60), "test")
    for item in range(items):
        queue.put(item)
    queue.close(10)
    exported = [item for one in exporter.batches for item in one]
    assert exported == sorted(exported)
    assert all(len(one) <= batch for one in exporter.batches)
    assert (queue.counts.exported, queue.counts.failed) == (len(exported), 0)
    assert queue.counts.exported + queue.counts.dropped == items


def test_a_slow_collector_fills_the_queue_and_the_rest_is_dropped() -> None:
    exporter = Exporter(is_open=False)
    queue = BoundedExport(exporter, QueueLimits(3, 1, 60), "test")
    queue.put(0)
    assert exporter.entered.wait(60)  # item 0 is with the collector
    for item in range(1, 6):
        queue.put(item)
    assert queue.counts.dropped == 2
    exporter.open.set()
    queue.close(10)
    assert exporter.batches == [[0], [1], [2], [3]]


def test_what_the_collector_refuses_is_counted_and_the_next_batch_is_tried() -> None:
    for accepts in (False, None):
        queue = BoundedExport(Exporter(accepts=accepts), QueueLimits(10, 2, 60), "test")
        for item in range(4):
            queue.put(item)
        queue.close(10)
        assert (queue.counts.exported, queue.counts.failed, queue.counts.dropped) == (0, 4, 0)


def test_a_refusal_of_the_collector_is_logged_once_and_so_is_its_recovery() -> None:
    answers, said = iter([True, False, False, True, True]), list[bool]()
    queue = BoundedExport[int](lambda _: next(answers), QueueLimits(10, 1, 60), "test", said.append)
    for item in range(5):
        queue.put(item)
    queue.close(10)
    assert said == [False, True]


def test_closing_does_not_wait_for_a_collector_that_hangs() -> None:
    exporter = Exporter(is_open=False)
    queue = BoundedExport(exporter, QueueLimits(10, 1, 60), "test")
    for item in range(3):
        queue.put(item)
    assert exporter.entered.wait(60)
    queue.close(0.01)
    assert queue.counts.dropped == 2  # one is with the collector
    queue.put(3)
    assert queue.counts.dropped == 3
    exporter.open.set()
