"""Decisions on their way out: what the messages say, that they are retried, that they never hold up the loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter

from glidepath.config import parse_config
from glidepath.config.notifications import Notification
from glidepath.config.urls_and_secrets import Secret
from glidepath.domain import Outcome
from glidepath.records import Decision
from scorer.steering.notify.channels import PAGERDUTY, cloud_event, notification_queue, pagerduty, slack
from scorer.steering.notify.decision_log_file import DecisionLogFile, decision_log_file
from scorer.steering.notify.delivery import QUEUE, DeliveryQueue, reason_of
from scorer.steering.notify.mlflow import first_version, mlflow_queue
from tests.support.steering import verdict
from tests.support.wheelhouse import until

BACK = Decision(
    at_ms=1_700_000_000_000,
    workload="chat",
    event="rollback",
    from_percent=50,
    to_percent=0,
    phase="rolling_back",
    reason="catastrophe: errors_fast",
    trigger="errors_fast",
    verdicts=(verdict("errors_fast", Outcome.FAIL, fast=True),),
)


@dataclass
class Inbox:
    """An HTTP server that keeps what it gets; the first ``failures`` requests are answered with 503."""

    failures: int = 0
    status: int = 503
    url: str = ""
    got: list[tuple[str, str, Any]] = field(default_factory=list)
    types: list[str] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        if self.failures:
            self.failures -= 1
            return web.Response(status=self.status)
        self.got.append((request.method, request.path_qs, await request.json() if request.can_read_body else None))
        self.types.append(request.content_type)
        return web.json_response({"model_versions": [{"version": "7"}]})


@asynccontextmanager
async def inbox(failures: int = 0) -> AsyncIterator[Inbox]:
    box, app = Inbox(failures), web.Application()
    app.router.add_route("*", "/{path:.*}", box.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    box.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield box
    finally:
        await runner.cleanup()


@asynccontextmanager
async def delivering(one: DeliveryQueue | DecisionLogFile) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(one.run(stop))
        yield
        stop.set()


@pytest.fixture
def dropped() -> Counter:
    return Counter("dropped", "Not delivered", ["kind"], registry=CollectorRegistry())


def test_slack_says_what_why_who_and_the_numbers() -> None:
    text = slack(BACK)["text"]
    for part in (
        "chat: rollback (50 % → 0 %)",
        "catastrophe: errors_fast",
        "by glidepath",
        "errors_fast: fail",
        "n=100",
    ):
        assert part in text


def test_pagerduty_opens_an_incident_for_a_rollback_and_resolves_it_on_the_next_step() -> None:
    alert = pagerduty(BACK, "key")
    assert (alert["event_action"], alert["payload"]["severity"], alert["routing_key"]) == ("trigger", "critical", "key")
    assert pagerduty(replace(BACK, event="promote"), "key")["event_action"] == "resolve"
    assert pagerduty(replace(BACK, event="promote"), "key")["dedup_key"] == alert["dedup_key"] == "glidepath/chat"
    assert len(pagerduty(replace(BACK, reason="x" * 5000), "key")["payload"]["summary"]) == 1024


def test_a_cloud_event_has_what_the_specification_requires() -> None:
    event = cloud_event(BACK)
    assert {"specversion", "id", "source", "type"} <= event.keys()
    assert (event["specversion"], event["type"], event["subject"]) == ("1.0", "glidepath.decision.rollback", "chat")
    assert event["time"] == "2023-11-14T22:13:20+00:00"
    assert json.loads(json.dumps(event))["data"]["to_percent"] == 0
    assert cloud_event(BACK)["id"] == event["id"] != cloud_event(replace(BACK, at_ms=1))["id"]


async def test_a_webhook_gets_a_structured_cloud_event_after_failures(dropped: Counter) -> None:
    async with inbox(failures=1) as box:
        one = notification_queue(Notification(kind="webhook", url=f"{box.url}/hook"), dropped)
        async with delivering(one):
            one.announce(BACK)
            await until(lambda: box.got)
    assert box.got[0][:2] == ("POST", "/hook")
    assert box.types == ["application/cloudevents+json"]
    assert box.got[0][2]["type"] == "glidepath.decision.rollback"


async def test_only_the_chosen_events_are_announced_and_the_url_may_be_a_secret(
    dropped: Counter, tmp_path: Path
) -> None:
    async with inbox() as box:
        (tmp_path / "url").write_text(f"{box.url}/secret\n")
        target = Notification(kind="slack", url_from=Secret(file=str(tmp_path / "url")), events=("rollback",))
        one = notification_queue(target, dropped)
        async with delivering(one):
            one.announce(replace(BACK, event="promote"))
            one.announce(BACK)
            await until(lambda: box.got)
    assert [path for _, path, _ in box.got] == ["/secret"]


async def test_what_is_not_taken_is_counted_at_once_and_no_log_line_holds_the_secret_address(dropped: Counter) -> None:
    async with inbox(failures=9) as box:
        box.status = 404
        one = notification_queue(Notification(kind="slack", url=f"{box.url}/T000/SECRET"), dropped)
        with structlog.testing.capture_logs() as lines:
            async with delivering(one):
                one.announce(BACK)
                await until(lambda: lines)
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
def test_no_reason_holds_an_address(error: Exception) -> None:
    assert reason_of(error)
    assert "SECRET" not in reason_of(error)


@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda c: st.lists(c, max_size=2) | st.dictionaries(st.sampled_from(["model_versions", "version"]), c),
        max_leaves=6,
    ).map(lambda value: json.dumps(value).encode())
)
def test_whatever_the_registry_answers_is_a_version_or_none(body: bytes) -> None:
    found = first_version(body)
    assert found is None or isinstance(found, str)


def test_an_answer_nested_too_deep_is_no_version() -> None:
    assert first_version(b"[" * 100_000) is None


def test_by_itself_pagerduty_is_only_told_what_opens_or_ends_an_incident(dropped: Counter, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k")
    target = Notification(kind="pagerduty", routing_key=Secret(file=str(tmp_path / "key")))
    events = ("rollback", "hold", "drill_started", "promote", "approve", "adopt_weights")
    queue = notification_queue(target, dropped)
    assert [e for e in events if queue.wants(replace(BACK, event=e))] == ["rollback", "promote"]
    assert not queue.wants(replace(BACK, trigger="command:rollback"))
    lost = replace(BACK, event="hold", trigger="state_lost")
    assert queue.wants(lost)
    assert pagerduty(lost, "key")["payload"]["severity"] == "critical"
    only_holds = target.model_copy(update={"events": ("hold",)})
    assert notification_queue(only_holds, dropped).wants(replace(BACK, event="hold"))


def test_pagerduty_has_its_own_address() -> None:
    assert PAGERDUTY.startswith("https://events.pagerduty.com/")


async def test_what_the_queue_cannot_hold_is_counted_and_never_waited_for(dropped: Counter) -> None:
    async def never(_: aiohttp.ClientSession, __: Decision) -> None:
        raise AssertionError("nothing runs it")

    one = DeliveryQueue("slack", never, dropped)
    for _ in range(QUEUE + 3):
        one.announce(BACK)
    assert dropped.labels("slack")._value.get() == 3


async def test_at_the_end_what_is_queued_is_still_delivered(dropped: Counter, tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    one = decision_log_file(str(path), dropped)
    async with delivering(one):
        for _ in range(20):
            one.announce(BACK)
    lines = path.read_text().splitlines()
    assert len(lines) == 20
    assert json.loads(lines[0])["event"] == "rollback"


async def test_a_log_file_that_cannot_be_written_says_why_and_is_caught_up_with_the_hole_in_it(
    dropped: Counter, tmp_path: Path
) -> None:
    folder = tmp_path / "not-there-yet"
    one = DecisionLogFile(folder / "decisions.jsonl", dropped, backlog=3)
    with structlog.testing.capture_logs() as lines:
        async with delivering(one):
            for number in range(5):
                one.announce(replace(BACK, at_ms=number))
                await until(lambda: one.problem)
            folder.mkdir()
            await until(lambda: (folder / "decisions.jsonl").exists() and not one.problem)
            one.announce(replace(BACK, at_ms=5))
    written = [json.loads(line) for line in (folder / "decisions.jsonl").read_text().splitlines()]
    assert [w["at_ms"] for w in written[1:]] == [2, 3, 4, 5]
    assert (written[0]["event"], written[0]["details"]) == ("log_gap", {"lost": 2})
    assert dropped.labels("file")._value.get() == 2
    assert [(line["event"], line.get("reason")) for line in lines] == [
        ("log_file_unwritable", "No such file or directory"),
        ("log_file_recovered", None),
    ]


async def test_what_a_full_disk_took_half_of_is_a_line_of_its_own_and_written_again(
    dropped: Counter, tmp_path: Path
) -> None:
    path = tmp_path / "decisions.jsonl"
    path.write_text('{"half')
    one = DecisionLogFile(path, dropped)
    async with delivering(one):
        one.announce(BACK)
    assert path.read_text().splitlines()[0] == '{"half'
    assert json.loads(path.read_text().splitlines()[1])["event"] == "rollback"


async def test_a_full_device_is_named_and_holds_nothing_up_at_the_end(dropped: Counter) -> None:
    one = DecisionLogFile(Path("/dev/full"), dropped)
    with structlog.testing.capture_logs() as lines:
        async with delivering(one):
            one.announce(BACK)
            await until(lambda: one.problem)
    assert [line["event"] for line in lines] == ["log_file_unwritable", "log_file_lost"]
    assert {line["reason"] for line in lines} == {"No space left on device"}


async def test_mlflow_is_told_production_and_failed_canary(valid_yaml: str, dropped: Counter) -> None:
    async with inbox() as box:
        text = valid_yaml + f'registry: {{mlflow: "{box.url}", models: {{onprem: llama}}}}\n'
        config = parse_config(text)
        assert config.registry is not None
        one = mlflow_queue(config, config.registry, dropped)
        async with delivering(one):
            one.announce(replace(BACK, event="promote"))
            one.announce(replace(BACK, event="complete"))
            one.announce(replace(BACK, event="rollback"))  # a person's
            await until(lambda: len(box.got) == 6)
    search, tag, alias = box.got[:3]
    assert search[1].startswith("/api/2.0/mlflow/model-versions/search?filter=name")
    assert tag[1:] == (
        "/api/2.0/mlflow/model-versions/set-tag",
        {"name": "llama", "version": "7", "key": "glidepath.status", "value": "production"},
    )
    assert alias[1:] == (
        "/api/2.0/mlflow/registered-models/alias",
        {"name": "llama", "alias": "production", "version": "7"},
    )
    assert box.got[4][2]["value"] == "failed-canary"
