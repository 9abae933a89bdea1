"""Announce decisions on Slack, through PagerDuty Events v2, or as CloudEvents 1.0 to any webhook."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import aiohttp
from prometheus_client import Counter

from glidepath.config.notifications import Notification
from glidepath.printable_text import shown_id
from glidepath.redisio import RotatedSecret
from glidepath.status_and_decisions import Decision
from scorer.steering.notify.delivery import DeliveryQueue, Send, check_answer

PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"
OPENS_INCIDENT = frozenset({"rollback", "shadow_failed", "guard_overridden", "abort"})
RESOLVES_INCIDENT = frozenset({"promote", "complete", "retry"})
# Triggers of decisions after which the candidate's actual share is unknown or unguarded, or after which clients get
# errors that no rollback ends.
ALARM_TRIGGERS = frozenset(
    {"state_lost", "unexpected_traffic", "tick_failed", "envoy_failing", "baseline_refuses", "blind"}
)
_MARKS = {
    "rollback": "🔴",
    "shadow_failed": "🔴",
    "guard_overridden": "🔴",
    "gate_holds": "🟠",
    "blind": "🟠",
    "baseline_refuses": "🔴",
    "abort": "⛔",
    "promote": "🟢",
    "complete": "✅",
}
_DEFAULT_MARK = "🔵"


def notification_queue(target: Notification, dropped: Counter) -> DeliveryQueue:
    """Return the queue for one configured channel. Raises ConfigError if its secret cannot be read."""

    def wants(decision: Decision) -> bool:
        if target.events:
            return decision.event in target.events
        return target.kind != "pagerduty" or _concerns_incident(decision)

    return DeliveryQueue(target.kind, _send(target), dropped, wants, destination=target.model_dump_json())


def _concerns_incident(decision: Decision) -> bool:
    """Return whether PagerDuty gets this decision by default, that is, if the channel has no ``events`` setting."""
    alarm = decision.trigger in ALARM_TRIGGERS
    return alarm or decision.event in RESOLVES_INCIDENT or opens_incident(decision)


def opens_incident(decision: Decision) -> bool:
    """Return whether the decision opens an incident.

    A rollback by command opens no incident, because a person ordered it.
    """
    return decision.event in OPENS_INCIDENT and not _is_commanded_rollback(decision)


def _is_commanded_rollback(decision: Decision) -> bool:
    return decision.event == "rollback" and decision.trigger == "command:rollback"


def _send(target: Notification) -> Send:
    address = RotatedSecret(target.url_from) if target.url_from else None
    routing_key = RotatedSecret(target.routing_key) if target.routing_key else None

    async def send(session: aiohttp.ClientSession, decision: Decision) -> None:
        url = address.read() if address else str(target.url or PAGERDUTY)
        key = routing_key.read() if routing_key else ""
        content_type = "application/json"
        if target.kind == "slack":
            body = slack(decision)
        elif target.kind == "pagerduty":
            body = pagerduty(decision, key)
        else:
            body, content_type = cloud_event(decision), "application/cloudevents+json"
        async with session.post(url, json=body, headers={"Content-Type": content_type}) as response:
            check_answer(response)

    return send


def headline(decision: Decision) -> str:
    share = f"{decision.to_percent:g} %"
    if decision.from_percent != decision.to_percent:
        share = f"{decision.from_percent:g} % → {share}"
    return f"{decision.workload}: {decision.event.replace('_', ' ')} ({share})"


def slack(decision: Decision) -> dict[str, Any]:
    """Return the body for an incoming webhook of Slack: the decision, its reason, its actor and the gates' numbers."""
    numbers = "\n".join(
        f"• {v.gate}: {v.outcome}, {_number(v.value)} against {_number(v.limit)} {v.unit} (n={v.n})"
        for v in decision.verdicts
    )
    mark = _DEFAULT_MARK if _is_commanded_rollback(decision) else _MARKS.get(decision.event, _DEFAULT_MARK)
    text = f"{mark} *{headline(decision)}*\n{decision.reason}\nby {decision.actor}"
    return {"text": "\n".join(filter(None, (text, numbers, _pairs(decision))))}


def _pairs(decision: Decision) -> str:
    """Return text that names the pairs that weighed most for the decision; "" if the decision names no pairs."""
    ids = ", ".join(shown_id(pair.id) for pair in decision.weighed_pairs)
    return f"pairs that weighed most (glidepath pairs show ID -w {decision.workload}): {ids}" if ids else ""


def pagerduty(decision: Decision, routing_key: str) -> dict[str, Any]:
    """Return the PagerDuty event for a decision. Each workload has a single incident.

    Failures open the incident; a later step, completion or retry resolves it.
    """
    action = "resolve" if decision.event in RESOLVES_INCIDENT else "trigger"
    alarm = decision.trigger in ALARM_TRIGGERS
    severity = "critical" if decision.event in ("rollback", "guard_overridden") or alarm else "warning"
    return {
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": f"glidepath/{decision.workload}",
        "payload": {
            "summary": f"{headline(decision)}: {decision.reason}"[:1024],
            "source": "glidepath",
            "severity": severity if alarm or opens_incident(decision) else "info",
            "timestamp": _time(decision),
            "component": decision.workload,
            "custom_details": {
                "trigger": decision.trigger,
                "actor": decision.actor,
                "pairs": [shown_id(pair.id) for pair in decision.weighed_pairs],
            },
        },
    }


def cloud_event(decision: Decision) -> dict[str, Any]:
    """Return the decision as a CloudEvents 1.0 event in structured mode."""
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
