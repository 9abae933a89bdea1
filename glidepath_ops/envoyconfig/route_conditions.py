"""Renders the conditions of routes: the paths, the host and the headers of a workload."""

from __future__ import annotations

import re

from glidepath.call_classes import STORED_BY_DEFAULT
from glidepath.config.request_match import Match
from glidepath.config.root import Config
from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.envoyconfig.path_conditions import (
    clear_path_headers,
    inference_path_headers,
    method_header,
)
from glidepath_ops.envoyconfig.route_overlap import METHOD


def by_specificity(config: Config) -> list[str]:
    """Return the names of the workloads, sorted so that the most specific match comes first."""
    return sorted(config.workloads, key=lambda name: config.workloads[name].match.specificity, reverse=True)


def inference_match(rule: Match) -> Json:
    """Return the RouteMatch for a workload's inference calls (``glidepath/call_classes.py``)."""
    post = {"name": ":method", "string_match": {"exact": METHOD}}
    return with_headers(match(rule), [post, *clear_path_headers(rule), *inference_path_headers(rule)])


def with_headers(condition: Json, headers: list[Json]) -> Json:
    return {**condition, "headers": [*headers, *condition.get("headers", [])]} if headers else condition


def match(rule: Match) -> Json:
    """Return the RouteMatch of a workload."""
    headers: list[Json] = []
    if rule.host is not None:
        pattern = authority_pattern(rule.host)
        headers.append({"name": ":authority", "string_match": {"safe_regex": {"regex": pattern}}})
    headers += [{"name": name.lower(), "string_match": {"exact": value}} for name, value in rule.headers.items()]
    found: Json = {"path": rule.path} if rule.path is not None else {"prefix": rule.path_prefix}
    if rule.path_prefix is not None and rule.path_prefix != "/":
        # /v1/batch matches /v1/batch and /v1/batch/x, but not /v1/batches
        found = {"path_separated_prefix": rule.path_prefix.rstrip("/")}
    return {**found, "headers": headers} if headers else found


def authority_pattern(host: str) -> str:
    """Return a regular expression (RE2) that matches the Host header for a workload's host, with or without a port."""
    return "(?i)" + _host_pattern(host) + r"(:\d+)?"


def _host_pattern(host: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_-]", lambda m: "\\" + m[0], host.removeprefix("*."))
    return rf"[^:]+\.{name}" if host.startswith("*.") else name


def other_models_excluded(rule: Match) -> list[Json]:
    """Return the HeaderMatchers that exclude POSTs if the workload has a ``model``.

    A POST that is not yet matched then has another model, so the default route serves it.
    """
    return [] if rule.model is None else [method_header(METHOD, inverted=True)]


def companion_paths(rule: Match) -> Match:
    """Return the conditions of a workload's companion calls: its paths and, if they store answers, all paths below."""
    if rule.path is None or not rule.path.rstrip("/").endswith(STORED_BY_DEFAULT):
        return rule
    return rule.model_copy(update={"path": None, "path_prefix": rule.path})
