"""The ``notify`` and ``registry`` sections: where decisions are announced."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from glidepath.config.section import Section
from glidepath.config.urls_and_secrets import BaseUrl, HttpUrl, Secret
from glidepath.decision_events import EventName


class Notification(Section):
    """A channel that announces decisions: a Slack webhook, PagerDuty Events v2, or any URL (CloudEvents 1.0).

    ``events`` lists the decision events to announce. The announcement of a ``rollback`` names its cause in ``trigger``:
    a gate, or ``command:rollback``.
    """

    kind: Literal["slack", "pagerduty", "webhook"]
    url: HttpUrl | None = None
    url_from: Secret | None = None  # for a URL that is a secret, such as Slack's
    routing_key: Secret | None = None  # for PagerDuty
    events: tuple[EventName, ...] = ()  # empty: all; for PagerDuty, the events that open or end an incident

    @model_validator(mode="after")
    def _complete(self) -> Notification:
        if self.kind == "pagerduty" and self.routing_key is None:
            raise ValueError("pagerduty needs routing_key")
        if self.kind != "pagerduty" and (self.url is None) == (self.url_from is None):
            raise ValueError("needs exactly one of: url, url_from")
        return self


class RegistrySection(Section):
    """The MLflow registry, in which the candidate's model version gets the tag production or failed-canary."""

    mlflow: BaseUrl
    models: dict[str, str] = Field(default_factory=dict)  # backend → registered model name, or name/version
