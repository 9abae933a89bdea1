"""Delivery: refused decisions, a full queue, and secrets that must not be logged."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import aiohttp
import pytest
import structlog
from prometheus_client import Counter

from glidepath.config.notifications import Notification
from glidepath.status_and_decisions import Decision
from scorer.steering.notify import delivery
from scorer.steering.notify.channels import notification_queue
from scorer.steering.notify.delivery import LOGGED_AFTER, QUEUE, DeliveryQueue, reason_of
from tests.support.lost_cancellation import SwallowsCancellation, ends_after_a_lost_cancellation
from tests.support.notification_inbox import ROLLBACK, delivering, inbox
from tests.support.waiting import eventually


async def test_a_refused_decision_is_not_retried_and_its_log_line_omits_the_secret_address(dropped: Counter) -> None:
    async with inbox(failures=9) as box:
        box.status = 404
        queue = notification_queue(Notification(kind="slack", url=f"{box.url}/T000/SECRET"), dropped)
        with structlog.testing.capture_logs() as lines:
            async with delivering(queue):
                queue.announce(ROLLBACK)
                await eventually(lambda: lines)
    assert box.failures == 8
    assert lines[0]["reason"] == "answered 404"
    assert "SECRET" not in str(lines)


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(delivery, "LONGEST_PAUSE_S", 0.001)


@pytest.mark.usefixtures("short_pauses")
async def test_decisions_wait_for_a_destination_that_is_away_and_one_line_says_so(dropped: Counter) -> None:
    async with inbox(failures=3 * LOGGED_AFTER) as box:
        queue = notification_queue(Notification(kind="slack", url=box.url), dropped)
        with structlog.testing.capture_logs() as lines:
            async with delivering(queue):
                queue.announce(ROLLBACK)
                queue.announce(replace(ROLLBACK, event="retry"))
                await eventually(lambda: len(box.got) == 2)
    assert ["rollback" in body["text"] for _, _, body in box.got] == [True, False]
    assert [line["event"] for line in lines] == ["notification_delayed"]
    assert dropped.labels("slack")._value.get() == 0


@pytest.mark.usefixtures("short_pauses")
async def test_a_decision_that_has_waited_too_long_is_dropped(
    dropped: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "KEEP_S", 0.0)
    async with inbox(failures=1) as box:
        queue = notification_queue(Notification(kind="slack", url=box.url), dropped)
        async with delivering(queue):
            queue.announce(ROLLBACK)
            await eventually(lambda: dropped.labels("slack")._value.get() == 1)


async def test_decisions_that_wait_at_the_end_of_the_process_are_counted_and_logged(
    dropped: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "DRAIN_S", 0.05)
    async with inbox(failures=1000) as box:
        queue = notification_queue(Notification(kind="slack", url=box.url), dropped)
        with structlog.testing.capture_logs() as lines:
            async with delivering(queue):
                queue.announce(ROLLBACK)
                queue.announce(replace(ROLLBACK, event="retry"))
                await eventually(lambda: box.failures < 1000)
    assert [(line["event"], line["decision"]) for line in lines] == [
        ("notification_dropped", "rollback"),
        ("notification_dropped", "retry"),
    ]
    assert dropped.labels("slack")._value.get() == 2


@pytest.mark.parametrize(
    "error",
    [
        aiohttp.InvalidURL("https://hooks/SECRET"),
        aiohttp.ServerDisconnectedError("https://hooks/SECRET"),
        TimeoutError(),
        OSError(111, "refused"),
    ],
)
def test_no_error_text_contains_the_address(error: Exception) -> None:
    assert reason_of(error)
    assert "SECRET" not in reason_of(error)


async def test_decisions_that_a_full_queue_cannot_hold_are_counted_and_not_waited_for(dropped: Counter) -> None:
    async def never(_: aiohttp.ClientSession, __: Decision) -> None:
        raise AssertionError("nothing runs it")

    queue = DeliveryQueue("slack", never, dropped)
    for _ in range(QUEUE + 3):
        queue.announce(ROLLBACK)
    assert dropped.labels("slack")._value.get() == 3


@pytest.mark.parametrize("lost_in", ["add", "has"])
async def test_a_cancellation_lost_in_the_redis_client_still_ends_the_delivery(
    dropped: Counter, lost_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "FIRST_PAUSE_S", 0.001)
    call = SwallowsCancellation()

    class Record:
        async def add(self, _: str) -> None:
            await call()

        async def has(self, _: str) -> bool:
            await call()
            return False

    async def send(_: aiohttp.ClientSession, __: Decision) -> None:
        if lost_in == "has":
            raise OSError("not there")

    queue = DeliveryQueue("slack", send, dropped)
    queue.record = Record()
    queue.announce(ROLLBACK)
    assert await ends_after_a_lost_cancellation(asyncio.create_task(queue.run(asyncio.Event())), call)
