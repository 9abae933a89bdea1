"""Messages to people: Slack, PagerDuty Events v2, and CloudEvents 1.0 for anything else."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import aiohttp
from prometheus_client import Counter

from glidepath.config.processes import Notification
from glidepath.records import Decision
from glidepath.redisio import read_secret
from scorer.steering.notify.delivery import Courier, RefusedError, Send

PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"
BAD = frozenset({"roll_back", "fail", "guard_overridden", "abort"})
GOOD = frozenset({"promote", "complete", "retry"})
ALARMS = frozenset({"state_lost", "unexpected_traffic", "failure"})  # triggers: nobody knows what the candidate serves
_MARKS = {"roll_back": "🔴", "fail": "🔴", "guard_overridden": "🔴", "abort": "⛔", "promote": "🟢", "complete": "✅"}


def courier(target: Notification, dropped: Counter) -> Courier:
    """Raises ConfigError when the secret that it names is not there."""
    events: frozenset[str] = frozenset(target.events) or (BAD | GOOD if target.kind == "pagerduty" else frozenset())

    def wants(decision: Decision) -> bool:
        alarm = target.kind == "pagerduty" and not target.events and decision.trigger in ALARMS
        return not events or alarm or decision.event in events

    return Courier(target.kind, _send(target), dropped, wants)


def _send(target: Notification) -> Send:
    url = read_secret(target.url_from) if target.url_from else str(target.url or PAGERDUTY)
    key = read_secret(target.routing_key) if target.routing_key else ""

    async def send(session: aiohttp.ClientSession, decision: Decision) -> None:
        content_type = "application/json"
        if target.kind == "slack":
            body = slack(decision)
        elif target.kind == "pagerduty":
            body = pagerduty(decision, key)
        else:
            body, content_type = cloud_event(decision), "application/cloudevents+json"
        async with session.post(url, json=body, headers={"Content-Type": content_type}) as response:
            if response.status == 429 or response.status >= 500:
                response.raise_for_status()
            if response.status >= 300:
                raise RefusedError(f"answered {response.status}")

    return send


def headline(decision: Decision) -> str:
    share = f"{decision.to_percent:g} %"
    if decision.from_percent != decision.to_percent:
        share = f"{decision.from_percent:g} % → {share}"
    return f"{decision.workload}: {decision.event.replace('_', ' ')} ({share})"


def slack(decision: Decision) -> dict[str, Any]:
    """An incoming webhook's message: what, why, by whom, and the gates' numbers."""
    numbers = "\n".join(
        f"• {v.gate}: {v.outcome}, {_number(v.value)} against {_number(v.limit)} {v.unit} (n={v.n})"
        for v in decision.verdicts
    )
    text = f"{_MARKS.get(decision.event, '🔵')} *{headline(decision)}*\n{decision.reason}\nby {decision.actor}"
    return {"text": f"{text}\n{numbers}" if numbers else text}


def pagerduty(decision: Decision, routing_key: str) -> dict[str, Any]:
    """One incident a workload: what goes wrong opens it, a promotion or completion afterwards resolves it."""
    action = "resolve" if decision.event in GOOD else "trigger"
    alarm = decision.trigger in ALARMS
    severity = "critical" if decision.event in ("roll_back", "guard_overridden") or alarm else "warning"
    return {
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": f"glidepath/{decision.workload}",
        "payload": {
            "summary": f"{headline(decision)}: {decision.reason}"[:1024],
            "source": "glidepath",
            "severity": severity if decision.event in BAD or alarm else "info",
            "timestamp": _time(decision),
            "component": decision.workload,
            "custom_details": {"trigger": decision.trigger, "actor": decision.actor},
        },
    }


def cloud_event(decision: Decision) -> dict[str, Any]:
    """CloudEvents 1.0, structured mode."""
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{decision.workload}/{decision.at_ms}/{decision.event}")),
        "source": f"/glidepath/workloads/{decision.workload}",
        "type": f"glidepath.decision.{decision.event}",
        "subject": decision.workload,
        "time": _time(decision),
        "datacontenttype": "application/json",
        "data": asdict(decision),
    }


def _time(decision: Decision) -> str:
    return datetime.fromtimestamp(decision.at_ms / 1000, UTC).isoformat()


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.4g}"
