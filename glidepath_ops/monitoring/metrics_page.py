"""Generates the reference of the metrics from those that the processes export.

``python -m glidepath_ops.monitoring.metrics_page`` prints docs/reference/metrics.md.
"""

from __future__ import annotations

import sys
import textwrap
import typing
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum

from glidepath.answer_faults import AnswerFault
from glidepath.decision_events import EventName
from glidepath.feedback import FeedbackMatch
from glidepath.metric_families import BUILD_INFO, MetricDefinition
from glidepath.outcome_summaries import AtFault, Coverage
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import GateAction, Phase
from glidepath.token_usage import COUNTS, TokenSource
from glidepath_ops.monitoring.exported_metrics import CONSOLE, EXTPROC, SCORER, exported_metrics
from scorer.steering.leader.workload_metric_table import DEFINITIONS

_WIDTH = 118  # characters of a line
_INTRO = """\
# Metrics

Generated from the code by `make reference`; a test fails when it is out of date. How to collect them, the dashboard and
the alerts: [monitor.md](../how-to/monitor.md).

Each process serves them at `/metrics` for Prometheus: extproc at `extproc.metrics`, the scorer at `scorer.metrics`, the
console at `console.listen`. A scrape reads data that the process holds anyway, so no request and no step waits for it.
Units are seconds, bytes and ratios from 0 to 1. No label holds a user, a session, a path, a prompt or an answer.

Counters begin at 0 when a process starts, except those that say "since the beginning": the leading scorer stores them.
Add up the counts of several processes, as in
`sum by (workload, side) (rate(glidepath_extproc_requests_total{origin="live"}[5m]))`. Each metric of the leading scorer
has one series, from whichever scorer leads: `max by (workload) (glidepath_share_asked_ratio)`.
"""


def values_of(kind: type[Enum]) -> str:
    return _codes(str(one.value) for one in kind)


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


# The values that each label can have. Labels with the same name in several metrics are described together.
LABELS: Mapping[str, str] = {
    "action": values_of(GateAction),
    "at_fault": values_of(AtFault),
    "backend": "a backend in `glidepath.yaml`",
    "cause": _codes(("credential_refused", "path_not_found", "side_not_answering")),
    "currency": "`costs.currency`",
    "dependency": _codes(("redis", "embedder")),
    "event": f"an event of the decision log: {_codes(typing.get_args(EventName))}",
    "fault": f"{values_of(AnswerFault)}: see [answer-faults.md](answer-faults.md)",
    "flag": "a flag of [scoring.md](scoring.md); after 64 names, `other`",
    "gate": "a gate of [evidence.md](evidence.md); the configuration bounds their number",
    "instrument": _codes(("evaluator", "verifier")),
    "kind": "of pairs: `cross`, `noise`; of local replies: the kind of [extproc.md](extproc.md), at most 32, then"
    " `other`; of notifications: the channel; of the console: the command",
    "loop": _codes(("scoring", "steering")),
    "match": values_of(FeedbackMatch),
    "origin": values_of(Origin),
    "outcome": "the result of the evaluator or the verifier, or why there is none: [evaluator.md](evaluator.md),"
    " [verifier.md](verifier.md)",
    "phase": values_of(Phase),
    "python": "a version",
    "quantile": _codes(("0.5", "0.95", "0.99")),
    "reason": f"of coverage: {values_of(Coverage)}, and the same with `noise_` for noise pairs; of pairs without a"
    " score: [score-loop.md](score-loop.md); of pinned requests: [extproc.md](extproc.md)",
    "result": "`ok`, `client_abort`, or the kind of error of [extproc.md](extproc.md); of checks, rescues, served"
    " requests and of exports to OpenTelemetry: see their descriptions",
    "route": "a route of the console",
    "seen": _codes(("log", "body", "unread", "dropped", "failed")),
    "side": values_of(Side),
    "signal": _codes(("traces", "events", "metrics")),
    "source": values_of(TokenSource),
    "type": _codes(COUNTS),
    "unit": _codes(("agreement", "preference", "ratio", "share")),
    "version": "a version",
    "workload": "a workload in `glidepath.yaml`; of the leading scorer, at most 200",
}


def reference() -> str:
    """Return the whole page as Markdown."""
    exported = exported_metrics()
    of_leader = {one.name for one in DEFINITIONS}
    scorer = [one for one in exported[SCORER] if one.name != BUILD_INFO]
    sections = (
        ("Every process", [one for one in exported[EXTPROC] if one.name == BUILD_INFO]),
        ("extproc", [one for one in exported[EXTPROC] if one.name != BUILD_INFO]),
        ("The leading scorer, for each workload", [one for one in scorer if one.name in of_leader]),
        ("Each scorer", [one for one in scorer if one.name not in of_leader]),
        ("The console", [one for one in exported[CONSOLE] if one.name != BUILD_INFO]),
    )
    parts = [_INTRO, *(f"## {title}\n\n{_list(metrics)}\n" for title, metrics in sections), _labels()]
    return "\n".join(parts)


def _list(metrics: Iterable[MetricDefinition]) -> str:
    return "\n".join(_item(one) for one in metrics)


def _item(metric: MetricDefinition) -> str:
    labels = f"{{{', '.join(metric.labels)}}}" if metric.labels else ""
    return _wrapped(f"- `{metric.name}{labels}` ({metric.kind}): {metric.meaning}")


def _labels() -> str:
    rows = "\n".join(_wrapped(f"- `{label}`: {values}") for label, values in sorted(LABELS.items()))
    return f"## Labels\n\n{rows}\n"


def _wrapped(text: str) -> str:
    return "\n".join(
        textwrap.wrap(text, _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    )


def undescribed(exported: Mapping[str, Iterable[MetricDefinition]]) -> Iterator[str]:
    """Yield the labels whose values are not described on the page."""
    for metrics in exported.values():
        for metric in metrics:
            yield from (label for label in metric.labels if label not in LABELS)


if __name__ == "__main__":
    sys.stdout.write(reference())
