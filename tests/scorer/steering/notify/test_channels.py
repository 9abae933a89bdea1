"""Messages on Slack, PagerDuty and webhooks, and which decisions each channel gets."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import Counter

from glidepath.config.notifications import Notification
from glidepath.config.urls_and_secrets import Secret
from glidepath.status_and_decisions import WeighedPair
from scorer.steering.notify.channels import PAGERDUTY, cloud_event, notification_queue, pagerduty, slack
from tests.support.notification_inbox import ROLLBACK, delivering, inbox
from tests.support.waiting import eventually


def test_a_slack_message_has_the_decision_its_reason_its_actor_and_the_gates_numbers() -> None:
    text = slack(ROLLBACK)["text"]
    for part in (
        "chat: rollback (50 % → 0 %)",
        "catastrophe: errors_fast",
        "by glidepath",
        "errors_fast: fail",
        "n=100",
    ):
        assert part in text


def test_pagerduty_opens_an_incident_for_a_rollback_and_resolves_it_on_the_next_step() -> None:
    alert = pagerduty(ROLLBACK, "key")
    assert (alert["event_action"], alert["payload"]["severity"], alert["routing_key"]) == ("trigger", "critical", "key")
    assert pagerduty(replace(ROLLBACK, event="promote"), "key")["event_action"] == "resolve"
    assert pagerduty(replace(ROLLBACK, event="promote"), "key")["dedup_key"] == alert["dedup_key"] == "glidepath/chat"
    assert pagerduty(replace(ROLLBACK, trigger="command:rollback"), "key")["payload"]["severity"] == "info"
    assert len(pagerduty(replace(ROLLBACK, reason="x" * 5000), "key")["payload"]["summary"]) == 1024


def test_every_channel_names_the_pairs_that_weighed_most_and_no_id_can_mention_anybody() -> None:
    pairs = (WeighedPair("9b2f", "1-0", 1.0), WeighedPair("<!channel>`x", "2-0", 0.5))
    failing = replace(ROLLBACK.verdicts[0], gate="defects", pairs=pairs)
    decision = replace(ROLLBACK, trigger="defects", verdicts=(failing,))
    assert "glidepath pairs show ID -w chat): 9b2f, ??channel??x" in slack(decision)["text"]
    assert pagerduty(decision, "key")["payload"]["custom_details"]["pairs"] == ["9b2f", "??channel??x"]
    assert cloud_event(decision)["data"]["verdicts"][0]["pairs"][0]["id"] == "9b2f"
    assert "pairs show" not in slack(ROLLBACK)["text"]


def test_a_cloud_event_has_the_attributes_that_the_specification_requires() -> None:
    event = cloud_event(ROLLBACK)
    assert {"specversion", "id", "source", "type"} <= event.keys()
    assert (event["specversion"], event["type"], event["subject"]) == ("1.0", "glidepath.decision.rollback", "chat")
    assert event["time"] == "2023-11-14T22:13:20+00:00"
    assert json.loads(json.dumps(event))["data"]["to_percent"] == 0
    assert cloud_event(ROLLBACK)["id"] == event["id"] != cloud_event(replace(ROLLBACK, at_ms=1))["id"]


@pytest.mark.slow
async def test_a_webhook_gets_a_structured_cloud_event_after_a_retry(dropped: Counter) -> None:
    async with inbox(failures=1) as box:
        queue = notification_queue(Notification(kind="webhook", url=f"{box.url}/hook"), dropped)
        async with delivering(queue):
            queue.announce(ROLLBACK)
            await eventually(lambda: box.got)
    assert box.got[0][:2] == ("POST", "/hook")
    assert box.types == ["application/cloudevents+json"]
    assert box.got[0][2]["type"] == "glidepath.decision.rollback"


async def test_only_the_chosen_events_are_announced_and_the_url_may_be_a_secret(
    dropped: Counter, tmp_path: Path
) -> None:
    async with inbox() as box:
        (tmp_path / "url").write_text(f"{box.url}/secret\n")
        target = Notification(kind="slack", url_from=Secret(file=str(tmp_path / "url")), events=("rollback",))
        queue = notification_queue(target, dropped)
        async with delivering(queue):
            queue.announce(replace(ROLLBACK, event="promote"))
            queue.announce(ROLLBACK)
            await eventually(lambda: box.got)
    assert [path for _, path, _ in box.got] == ["/secret"]


async def test_a_url_that_is_rotated_in_its_file_is_used_and_the_former_one_while_the_file_is_away(
    dropped: Counter, tmp_path: Path
) -> None:
    async with inbox() as box:
        file = tmp_path / "url"
        file.write_text(f"{box.url}/first")
        queue = notification_queue(Notification(kind="slack", url_from=Secret(file=str(file))), dropped)
        async with delivering(queue):
            for number, text in enumerate((f"{box.url}/second", "", None), start=1):
                file.unlink() if text is None else file.write_text(text)
                queue.announce(ROLLBACK)
                await eventually(lambda number=number: len(box.got) == number)
    assert [path for _, path, _ in box.got] == ["/second"] * 3


def test_by_default_pagerduty_gets_what_opens_or_resolves_an_incident(dropped: Counter, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k")
    target = Notification(kind="pagerduty", routing_key=Secret(file=str(tmp_path / "key")))
    events = ("rollback", "hold", "drill_started", "promote", "approve", "adopt_weights")
    queue = notification_queue(target, dropped)
    assert [e for e in events if queue.wants(replace(ROLLBACK, event=e))] == ["rollback", "promote"]
    assert not queue.wants(replace(ROLLBACK, trigger="command:rollback"))
    lost = replace(ROLLBACK, event="hold", trigger="state_lost")
    assert queue.wants(lost)
    assert pagerduty(lost, "key")["payload"]["severity"] == "critical"
    blind = replace(ROLLBACK, event="blind", trigger="blind")
    assert queue.wants(blind)
    assert (pagerduty(blind, "key")["event_action"], pagerduty(blind, "key")["payload"]["severity"]) == (
        "trigger",
        "critical",
    )
    assert not queue.wants(replace(ROLLBACK, event="sees_again", trigger="sees_again"))
    only_holds = target.model_copy(update={"events": ("hold",)})
    assert notification_queue(only_holds, dropped).wants(replace(ROLLBACK, event="hold"))


def test_pagerduty_has_its_own_address() -> None:
    assert PAGERDUTY.startswith("https://events.pagerduty.com/")
