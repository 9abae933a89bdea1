"""Reads the settings of an HTTP route of a VirtualService: its rules for request headers, and its time limit."""

from __future__ import annotations

from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.envoyconfig.header_rules import APPEND_ACTIONS, header_added
from glidepath_ops.envoyconfig.mesh.go_durations import duration


def header_rules(entry: Json) -> Json:
    """Return the request header rules of a VirtualService's HTTP route in the form of an Envoy route.

    Istio applies the rules of the route first, then those of its only destination.
    """
    rules = [section.get("headers", {}).get("request", {}) for section in (entry, *entry["route"])]
    return {
        "request_headers_to_remove": [name for rule in rules for name in rule.get("remove", [])],
        "request_headers_to_add": [
            header_added(name, value, action)
            for rule in rules
            for kind, action in APPEND_ACTIONS  # in the order of Istio's TranslateHeadersOperations
            for name, value in rule.get(kind, {}).items()
        ],
    }


def ends_after(entry: Json, where: str = "") -> float:
    """Return the route's time limit for a whole answer, in seconds; 0: none."""
    return duration(str(entry.get("timeout", "0s")), where)
