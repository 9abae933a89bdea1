"""Delivery: refused decisions, a full queue, and secrets that must not be logged."""

from __future__ import annotations

import aiohttp
import pytest
import structlog
from prometheus_client import Counter

from glidepath.config.notifications import Notification
from glidepath.status_and_decisions import Decision
from scorer.steering.notify.channels import notification_queue
from scorer.steering.notify.delivery import QUEUE, DeliveryQueue, reason_of
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
