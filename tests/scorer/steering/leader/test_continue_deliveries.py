"""A new leader delivers, once, the decisions that a former leader could not deliver, with a real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import redis.asyncio
import structlog
from prometheus_client import CollectorRegistry, Counter

from glidepath.config import Config, parse_config
from glidepath.config.notifications import Notification
from glidepath.redis_keys import WorkloadKeys
from glidepath.status_and_decisions import Decision, to_json
from glidepath_ops.local.child_process import free_ports
from scorer.steering.leader.continue_deliveries import ContinuedDeliveries
from scorer.steering.notify import delivery
from scorer.steering.notify.channels import notification_queue
from scorer.steering.notify.delivered_record import DeliveredRecord, id_of
from scorer.steering.notify.delivery import DeliveryQueue
from tests.support.notification_inbox import ROLLBACK, Inbox, delivering, inbox
from tests.support.waiting import eventually

CHAT = WorkloadKeys("chat")
HOLD = replace(ROLLBACK, event="hold", at_ms=ROLLBACK.at_ms + 1)
RETRY = replace(ROLLBACK, event="retry", at_ms=ROLLBACK.at_ms + 2)


@pytest.fixture
def config(valid_yaml: str) -> Config:
    return parse_config(valid_yaml)


@pytest.fixture
def dropped() -> Counter:
    return Counter("dropped", "Not delivered", ["kind"], registry=CollectorRegistry())


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(delivery, "LONGEST_PAUSE_S", 0.01)
    monkeypatch.setattr(delivery, "DRAIN_S", 0.05)


@asynccontextmanager
async def leader(config: Config, client: Any, box: Inbox) -> AsyncIterator[DeliveryQueue]:
    """Run the queue of a scorer that has just become the leader."""
    target = Notification(kind="webhook", url=box.url)
    queue = notification_queue(target, Counter("dropped", "d", ["kind"], registry=CollectorRegistry()))
    record = DeliveredRecord(client, queue.destination)
    queue.record = record
    await ContinuedDeliveries(config, client, [(queue, record)], lambda: ()).follow_up()
    async with delivering(queue):
        yield queue


async def decide(client: Any, queue: DeliveryQueue, decision: Decision) -> None:
    await client.xadd(CHAT.log, {"d": to_json(decision)})
    queue.announce(decision)


def events(box: Inbox) -> list[str]:
    return [body["data"]["event"] for _, _, body in box.got]


async def test_the_next_leader_delivers_what_waited_and_nothing_twice(config: Config, redis_client: Any) -> None:
    async with inbox() as box:
        async with leader(config, redis_client, box) as queue:
            await decide(redis_client, queue, ROLLBACK)
            await eventually(lambda: events(box) == ["rollback"])
            box.failures = 10**6
            await decide(redis_client, queue, HOLD)
            await redis_client.xadd(CHAT.log, {"d": to_json(RETRY)})  # it ended before it announced this one
            await redis_client.xadd(CHAT.log, {"d": to_json(replace(RETRY, event="decommission"))})
        box.failures = 0
        async with leader(config, redis_client, box):
            await eventually(lambda: events(box) == ["rollback", "hold", "retry"])
        async with leader(config, redis_client, box) as queue:
            await decide(redis_client, queue, replace(RETRY, event="promote"))
        assert events(box) == ["rollback", "hold", "retry", "promote"]


async def test_a_new_destination_gets_no_decisions_from_before(config: Config, redis_client: Any) -> None:
    await redis_client.xadd(CHAT.log, {"d": to_json(ROLLBACK)})
    async with inbox() as box:
        async with leader(config, redis_client, box) as queue:
            await decide(redis_client, queue, HOLD)
        assert events(box) == ["hold"]


async def test_a_decision_that_is_an_hour_old_is_not_delivered_any_more(config: Config, redis_client: Any) -> None:
    async with inbox() as box:
        async with leader(config, redis_client, box):
            pass
        seconds, _ = await redis_client.time()
        await redis_client.xadd(CHAT.log, {"d": to_json(ROLLBACK)}, id=f"{(seconds - 3700) * 1000}-0")
        await redis_client.xadd(CHAT.log, {"d": to_json(HOLD)}, id=f"{(seconds - 3500) * 1000}-0")
        async with leader(config, redis_client, box):
            pass
        assert events(box) == ["hold"]


async def test_a_former_leader_that_still_runs_does_not_repeat_what_the_next_one_delivered(
    config: Config, redis_client: Any
) -> None:
    async with inbox(failures=10**6) as box, leader(config, redis_client, box) as queue:
        await decide(redis_client, queue, ROLLBACK)
        await eventually(lambda: box.failures < 10**6)
        await DeliveredRecord(redis_client, queue.destination).add(id_of(to_json(ROLLBACK)))
        await decide(redis_client, queue, HOLD)
        await eventually(lambda: box.failures < 10**6 - 3)
        box.failures = 0
        await eventually(lambda: events(box) == ["hold"])


async def test_decisions_are_delivered_while_redis_is_unreachable(config: Config, dropped: Counter) -> None:
    client = redis.asyncio.from_url(f"redis://127.0.0.1:{free_ports(1)[0]}")
    async with inbox(failures=2) as box:
        queue = notification_queue(Notification(kind="webhook", url=box.url), dropped)
        queue.record = DeliveredRecord(client, queue.destination)
        async with delivering(queue):
            queue.announce(ROLLBACK)
            queue.announce(HOLD)
            await eventually(lambda: events(box) == ["rollback", "hold"])
    await client.aclose()


async def test_notifications_that_wait_when_a_scorer_ends_do_not_count_as_dropped(
    config: Config, redis_client: Any
) -> None:
    async with inbox(failures=10**6) as box:
        with structlog.testing.capture_logs() as lines:
            async with leader(config, redis_client, box) as queue:
                await decide(redis_client, queue, ROLLBACK)
    assert [line["event"] for line in lines if line["event"].startswith("notification_")][
        -1
    ] == "notification_postponed"
    assert "notification_dropped" not in [line["event"] for line in lines]


async def test_a_waiting_notification_without_a_log_entry_counts_as_dropped_when_its_scorer_ends(
    config: Config, redis_client: Any
) -> None:
    unstored = replace(ROLLBACK, details={"stored": False})
    async with inbox(failures=10**6) as box:
        with structlog.testing.capture_logs() as lines:
            async with leader(config, redis_client, box) as queue:
                queue.announce(unstored)
                queue.announce(HOLD)
    delayed = "notification_delayed"  # on a fast machine, the attempts suffice for this line
    notes = [line for line in lines if line["event"].startswith("notification_") and line["event"] != delayed]
    ends = [(line["event"], line["decision"]) for line in notes]
    assert set(ends) == {("notification_dropped", unstored.event), ("notification_postponed", HOLD.event)}
