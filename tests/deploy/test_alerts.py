"""Each alert rule fires on the series that shows its problem, and does not fire before."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support import quick_yaml
from tests.support.commands import parse_command
from tests.support.promql_names import unknown_names
from tests.support.promtool import needs_promtool, promtool

ALERTS = Path(__file__).parents[2] / "deploy" / "prometheus" / "alerts.yml"
RULES: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for group in quick_yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
}
CHAT = 'workload="chat"'
OF_CANDIDATE = 'side="candidate", origin="live"'
EXTPROC = f'glidepath_extproc_requests_total{{{CHAT}, origin="live"'
COVERAGE = f"glidepath_extproc_coverage_total{{{CHAT}"


@dataclass(frozen=True, slots=True)
class Case:
    """``series``: a series → its values, one per ``interval``, in promtool's form (start+step x count).

    All times are in minutes. Prometheus forgets a value after five minutes, so ``interval`` is less.
    """

    alert: str
    series: dict[str, str] = field(default_factory=dict)
    silent_at: int = 5
    fires_at: int = 20
    interval: int = 1


CASES = (
    Case("GlidepathProcessDown", {'up{job="glidepath-scorer", instance="a"}': "1x5 0x60"}),
    Case("GlidepathNoLeader", {'glidepath_scorer_leader{job="s", instance="a"}': "1x5 0x60"}),
    Case(
        "GlidepathSeveralLeaders",
        {
            'glidepath_scorer_leader{job="s", instance="a"}': "1x60",
            'glidepath_scorer_leader{job="s", instance="b"}': "0x5 1x60",
        },
    ),
    Case(
        "GlidepathLeaderChanges", {'glidepath_scorer_leader{job="s", instance="a"}': "1x6 0 1 0 1 0 1 0 1 0 1"}, 5, 15
    ),
    Case("GlidepathSteeringPaused", {'glidepath_scorer_ready{instance="a", loop="steering"}': "1x5 0x60"}),
    Case("GlidepathScoringStopped", {'glidepath_scorer_ready{instance="a", loop="scoring"}': "1x5 0x60"}, 8),
    Case("GlidepathRedisRefuses", {'glidepath_extproc_redis_up{instance="a"}': "1x5 0x60"}),
    Case("GlidepathBlind", {f"glidepath_blind{{{CHAT}}}": "0x5 1x60"}),
    Case("GlidepathRolledBack", {f"glidepath_rolled_back{{{CHAT}}}": "0x5 1x60"}),
    Case(
        "GlidepathGateHolds",
        {
            f'glidepath_gate_verdict{{{CHAT}, gate="defects"}}': "0x5 -1x60",
            f'glidepath_gate_effect{{{CHAT}, gate="defects", action="hold"}}': "1x60",
        },
    ),
    Case("GlidepathWaitsForApproval", {f'glidepath_phase{{{CHAT}, phase="awaiting_approval"}}': "0x5 1x120"}, 60, 70),
    Case(
        "GlidepathStuck",
        {
            f'glidepath_phase{{{CHAT}, phase="baking"}}': "1x5000",
            f"glidepath_step_start_timestamp_seconds{{{CHAT}}}": "60x5000",
        },
        7 * 24 * 60,
        7 * 24 * 60 + 30,
        interval=4,
    ),
    Case(
        "GlidepathShareNotServed",
        {
            f"glidepath_share_asked_ratio{{{CHAT}}}": "0.5x90",
            f'{EXTPROC}, side="candidate", result="ok"}}': "0+50x20 1000+5x70",
            f'{EXTPROC}, side="baseline", result="ok"}}': "0+50x20 1000+95x70",
        },
        20,
        60,
    ),
    Case(
        "GlidepathEnvoysNotConfirmed",
        {f"glidepath_envoys{{{CHAT}}}": "3x60", f"glidepath_envoys_confirmed{{{CHAT}}}": "3x5 2x60"},
        8,
    ),
    Case(
        "GlidepathLeaseLost",
        {
            f"glidepath_envoys{{{CHAT}}}": "3x60",
            f"glidepath_envoys_leased{{{CHAT}}}": "3x5 2x60",
            f"glidepath_share_asked_ratio{{{CHAT}}}": "0.1x60",
        },
    ),
    Case(
        "GlidepathSideRefuses",
        {f'glidepath_side_refuses{{{CHAT}, side="candidate", cause="path_not_found"}}': "_x5 1x60"},
    ),
    Case(
        "GlidepathBaselineFailing",
        {
            f'{EXTPROC}, side="baseline", result="ok"}}': "0+90x90",
            f'{EXTPROC}, side="baseline", result="timeout"}}': "0+1x10 10+10x80",
            f'{EXTPROC}, side="baseline", result="client_abort"}}': "0+900x90",
        },
        10,
        30,
    ),
    Case(
        "GlidepathAnswersFailing",
        {
            f"glidepath_scorer_answers_total{{{CHAT}, {OF_CANDIDATE}}}": "0+100x90",
            f'glidepath_scorer_answer_faults_total{{{CHAT}, {OF_CANDIDATE}, fault="refusal"}}': "0+1x20 20+30x70",
        },
        20,
        60,
    ),
    Case(
        "GlidepathLowAgreement",
        {f"glidepath_agreement_ratio{{{CHAT}}}": "0.9x5 0.3x60", f"glidepath_share_asked_ratio{{{CHAT}}}": "0.1x60"},
        15,
        40,
    ),
    Case(
        "GlidepathCoverageLow",
        {f'{COVERAGE}, reason="captured"}}': "0+100x150", f'{COVERAGE}, reason="paired"}}': "0+90x30 2700+1x120"},
        30,
        90,
    ),
    Case("GlidepathExtprocDropping", {f'{COVERAGE}, reason="lost_buffer"}}': "0x20 0+10x60"}, 20, 45),
    Case("GlidepathPairsWait", {f"glidepath_scorer_queue_pairs{{{CHAT}}}": "10x5 5000x60"}, 15, 40),
    Case(
        "GlidepathInstrumentFails",
        {
            f'glidepath_instrument_pairs_total{{{CHAT}, instrument="evaluator", outcome="judged"}}': "0+10x10 100x60",
            f'glidepath_instrument_pairs_total{{{CHAT}, instrument="evaluator", outcome="paused"}}': "0x10 0+9x60",
            f'glidepath_instrument_pairs_total{{{CHAT}, instrument="verifier", outcome="rate"}}': "0+9x70",
        },
        15,
        50,
    ),
    Case("GlidepathTickFails", {f"glidepath_steer_errors_total{{{CHAT}}}": "0x5 1x60"}, 5, 8),
    Case("GlidepathNotSteered", {'glidepath_workloads_not_steered{job="s"}': "0x5 2x60"}, 8),
    Case(
        "GlidepathTelemetryLost",
        {'glidepath_otel_items_total{job="glidepath-extproc", signal="traces", result="dropped"}': "0x10 0+5x60"},
        10,
        40,
    ),
    Case("GlidepathNotificationsDropped", {'glidepath_notifications_dropped_total{kind="slack"}': "0x5 1x60"}, 5, 8),
    Case("GlidepathClocksDiffer", {f"glidepath_clock_skew_seconds{{{CHAT}}}": "0.1x5 -30x60"}, 8),
)


def _test(case: Case) -> dict[str, Any]:
    firing = f'count(ALERTS{{alertname="{case.alert}", alertstate="firing"}})'
    return {
        "interval": f"{case.interval}m",
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "promql_expr_test": [
            {"expr": firing, "eval_time": f"{case.silent_at}m", "exp_samples": []},
            {"expr": firing, "eval_time": f"{case.fires_at}m", "exp_samples": [{"labels": "{}", "value": 1}]},
        ],
    }


def test_every_alert_has_a_case() -> None:
    assert sorted(case.alert for case in CASES) == sorted(RULES)


def test_every_alert_names_metrics_and_labels_that_exist_and_says_what_to_do() -> None:
    for name, rule in RULES.items():
        assert not list(unknown_names(rule["expr"])), name
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]


def test_the_text_of_an_alert_names_labels_that_its_expression_keeps() -> None:
    for name, rule in RULES.items():
        kept = set(re.findall(r"\w+", " ".join(re.findall(r"\bby \(([^)]*)\)", rule["expr"]))))
        if " by " not in f" {rule['expr']} ":
            kept = {"job", "instance"}
        named = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
        assert named <= kept, name


def test_each_command_that_an_alert_names_is_one_that_a_person_can_run() -> None:
    for name, rule in RULES.items():
        text = re.sub(r"\{\{ \$labels\.workload \}\}", "chat", rule["annotations"]["description"])
        commands = re.findall(r"`(glidepath [^`]+)`", text)
        assert len(commands) == len(re.findall(r"\bglidepath [a-z]", text)), f"{name}: a command is not in backticks"
        for command in commands:
            parse_command(command)


def test_the_series_of_a_case_exist() -> None:
    assert not [series for case in CASES for series in case.series if list(unknown_names(series))]


@needs_promtool
@pytest.mark.process
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_an_alert_is_silent_and_then_fires(case: Case, tmp_path: Path) -> None:
    file = tmp_path / "alerts.test.json"
    every = f"{case.interval}m"
    file.write_text(json.dumps({"rule_files": [str(ALERTS)], "evaluation_interval": every, "tests": [_test(case)]}))
    assert "SUCCESS" in promtool("test", "rules", file)


@needs_promtool
@pytest.mark.process
def test_promtool_accepts_the_rules() -> None:
    promtool("check", "rules", ALERTS)
