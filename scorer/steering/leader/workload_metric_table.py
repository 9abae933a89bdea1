"""The metrics of the leading scorer about its workloads: names, meanings and labels. See workload_metrics.py."""

from __future__ import annotations

from glidepath.metric_families import MetricDefinition

_WORKLOAD = ("workload",)
_SIDE = ("workload", "side", "origin")
_GATE = ("workload", "gate")
_GATE_UNIT = ("workload", "gate", "unit")


def _gauge(name: str, meaning: str, labels: tuple[str, ...] = _WORKLOAD) -> MetricDefinition:
    return MetricDefinition(f"glidepath_{name}", "gauge", meaning, labels)


def _counter(name: str, meaning: str, labels: tuple[str, ...] = _WORKLOAD) -> MetricDefinition:
    return MetricDefinition(f"glidepath_{name}_total", "counter", meaning, labels)


_RAMP = (
    _gauge("phase", "1 for the phase that the workload is in, 0 for each other phase", ("workload", "phase")),
    _gauge("autopilot", "1 if steps and rollbacks happen automatically, 0 if a person has turned them off"),
    _gauge("rolled_back", "1 in the phases rolling_back, cooling_down and aborted"),
    _gauge("step_index", "Index of the present step in ramp.steps; -1 while the candidate gets only copies"),
    _gauge("step_start_timestamp_seconds", "Unix time at which the present step or state began"),
    _gauge("status_timestamp_seconds", "Unix time of the latest status of the workload"),
    _gauge("workload_percent", "Desired share of the candidate in percent; NaN while the actual share is unknown"),
    _gauge("share_asked_ratio", "Share of the clients' requests that the candidate should serve; NaN while unknown"),
    _gauge(
        "share_seen_ratio",
        "Share of the clients' requests of this step that reached the candidate; absent at 0 % and at 100 %",
    ),
    _gauge("movable_share_ratio", "Share of the requests that the candidate can serve at all, as copies showed"),
)
_FLEET = (
    _gauge("envoys", "Envoys that the steer loop has found"),
    _gauge("envoys_confirmed", "Envoys that run the desired weights"),
    _gauge("envoys_leased", "Envoys in which the lease of the split is in force (if_lost: baseline)"),
    _gauge(
        "side_refuses",
        "1 while a side fails or refuses most of its latest requests for this cause",
        ("workload", "side", "cause"),
    ),
)
_GATES = (
    _gauge("gate_verdict", "Verdict of a gate: 1 pass, 0 inconclusive, -1 fail", _GATE),
    _gauge("gate_value", "Estimate of a gate in this step, in the unit that the label names", _GATE_UNIT),
    _gauge("gate_limit", "Limit of a gate's value", _GATE_UNIT),
    _gauge("gate_low", "Lower bound of a gate's value, valid at all looks of the step together", _GATE_UNIT),
    _gauge("gate_high", "Upper bound of a gate's value, valid at all looks of the step together", _GATE_UNIT),
    _gauge("gate_samples", "The candidate's samples of a gate in this step", _GATE),
    _gauge("gate_missing_samples", "Estimated further samples until a gate decides; absent if unknown", _GATE),
    _gauge("gate_evidence_ratio", "Evidence of a gate, as a fraction of what it needs for a verdict", _GATE),
    _gauge(
        "gate_evidence_to_pass_ratio",
        "Evidence for a pass, as a fraction of what a pass needs: 1 proves the candidate good enough",
        _GATE,
    ),
    _gauge(
        "gate_evidence_to_fail_ratio",
        "Evidence for a fail, as a fraction of what a fail needs: 1 proves the candidate too bad",
        _GATE,
    ),
    _gauge("gate_effect", "1 for the action of a gate when it fails: rollback, hold or inform", (*_GATE, "action")),
)
_ANSWERS = (
    _gauge("agreement_ratio", "Mean agreement of both sides' answers in this step, from 0 to 1"),
    _gauge("noise_agreement_ratio", "Mean agreement of the baseline's answers with each other, from 0 to 1"),
    _counter(
        "instrument_pairs",
        "Pairs with this result of the evaluator or verifier, or without a result for this reason, since the beginning",
        ("workload", "instrument", "outcome"),
    ),
    _counter("feedback", "Feedback by match: the side that it is about, unknown or repeated", ("workload", "match")),
)
_REQUESTS = (
    _gauge("step_requests", "Requests of a side in this step", _SIDE),
    _gauge("step_errors", "Errors of a side in this step", _SIDE),
    _gauge(
        "step_latency_seconds",
        "Quantile of the time from the end of a request to the end of its answer, in this step (±0.55 %)",
        (*_SIDE, "quantile"),
    ),
    _gauge(
        "step_first_byte_seconds",
        "Quantile of the time from the end of a request to the first byte of its answer's body, in this step",
        (*_SIDE, "quantile"),
    ),
    _counter("live_requests", "Clients' requests that reached a side, since the beginning", ("workload", "side")),
    _gauge(
        "local_replies",
        "Clients' requests that Envoy itself answered since the beginning, by the party at fault and by kind",
        ("workload", "at_fault", "kind"),
    ),
)
_RECORDS = (
    _gauge("bad_records", "Stream entries that could not be decoded"),
    _gauge("left_out", "Requests and pairs that do not count, because they are from before the present step"),
    _gauge(
        "other_configuration",
        "Requests and pairs that an Envoy served by a configuration other than the scorer's, since the beginning",
    ),
    _gauge(
        "clock_skew_seconds",
        "Offset of the clock that differs most from Redis' clock; positive if that clock is ahead",
    ),
    _gauge("workloads_not_shown", "Workloads without metrics, because a scorer shows at most 200", ()),
)
DEFINITIONS = (*_RAMP, *_FLEET, *_GATES, *_ANSWERS, *_REQUESTS, *_RECORDS)
