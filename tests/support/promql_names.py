"""Find metrics and labels in a PromQL expression that Glidepath's processes do not export."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache

from glidepath.metric_families import MetricDefinition
from glidepath_ops.monitoring.exported_metrics import exported_metrics

_SELECTOR = re.compile(r"\b(glidepath_[a-z0-9_]+|up)\b\s*(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'\s*([a-z_]+)\s*(?:=~|!~|!=|=)\s*"[^"]*"\s*,?')
_GROUPING = re.compile(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_OF_PROMETHEUS = frozenset({"job", "instance"})
_PARTS = ("_bucket", "_sum", "_count")


@cache
def _known() -> Mapping[str, MetricDefinition]:
    return {one.name: one for metrics in exported_metrics().values() for one in metrics}


def _labels_of(name: str) -> frozenset[str] | None:
    """Return the labels of a series, or None if no process has it."""
    if name == "up":
        return _OF_PROMETHEUS
    known = _known()
    if name in known and known[name].kind != "histogram":
        return frozenset(known[name].labels) | _OF_PROMETHEUS
    for part in _PARTS:
        whole = known.get(name.removesuffix(part))
        if name.endswith(part) and whole is not None and whole.kind == "histogram":
            return frozenset(whole.labels) | _OF_PROMETHEUS | ({"le"} if part == "_bucket" else frozenset())
    return None


def unknown_names(expression: str) -> Iterator[str]:
    """Yield each metric that no process exports, and each label that a metric of the expression lacks."""
    everywhere: set[str] = set()
    found = _SELECTOR.findall(expression)
    if not found:
        yield "no metric of Glidepath's"
    for name, matchers in found:
        labels = _labels_of(name)
        if labels is None:
            yield name
            continue
        everywhere |= labels
        assert not _MATCHER.sub("", matchers), f"{matchers} is not understood"
        yield from (f"{name}{{{label}}}" for label in _MATCHER.findall(matchers) if label not in labels)
    for group in _GROUPING.findall(expression):
        yield from (f"by ({label})" for label in re.findall(r"\w+", group) if label not in everywhere)
