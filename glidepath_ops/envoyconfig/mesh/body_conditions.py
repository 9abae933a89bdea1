"""Refuse, for a control plane, what needs the body of a request to choose its route (ADR 0301)."""

from __future__ import annotations

from glidepath.config.root import Config, Workload
from glidepath.errors import ConfigError


def refuse_body_conditions(config: Config, title: str) -> None:
    """Raise ConfigError if a workload can only be split by what its bodies say.

    The reading needs a second choice among routes in an order that the control plane ``title`` decides.
    """
    for name, workload in config.workloads.items():
        key = _needed(workload)
        if key is not None:
            raise ConfigError(f"workloads.{name}.{key[0]}: {title} has no routes by the body of a request; {key[1]}")


def _needed(workload: Workload) -> tuple[str, str] | None:
    """Return the key that needs the body, and what to write instead; None if the workload needs no body."""
    if workload.match.model is not None:
        return (
            "match.model",
            "match on a header with the model's name (match.headers), which the client or a filter sets",
        )
    if workload.sticky is not None and workload.sticky.from_body:
        return "sticky", "use header, cookie or source_ip"
    path = workload.match.path
    if path is not None and path.rstrip("/").endswith("/responses") and not workload.stateless:
        remedy = (
            "so requests that need or make state cannot stay at the baseline: set stateless: true if every client "
            "sends store: false and no previous_response_id, or put this path into an Envoy of your own"
        )
        return "match.path", remedy
    return None
