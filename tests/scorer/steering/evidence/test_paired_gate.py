"""Gates that compare copies of the same requests: the evidence that decides, and the text of the verdict."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from glidepath.config import Workload, parse_config
from glidepath.histogram import Histogram
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import Ending, PairKind
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import Verdict
from scorer.steering.evidence.accumulator import Evidence
from scorer.steering.evidence.paired_gate import MOST_WITHOUT_COPIES

CONFIG = """
backends: {{cloud: {{url: "http://127.0.0.1:9001"}}, onprem: {{url: "http://127.0.0.1:9002"}}}}
workloads:
  chat:
    match: {{path: /v1/chat/completions}}
    baseline: cloud
    candidate: onprem
    sticky: {sticky}
    shadow: {{same_side: {same_side}}}
    gates:
      latency: {{quantile: p95, max_ratio: 1.2, min_samples: 20}}
      errors: {{max_increase: 0.5 %, min_samples: 20}}
      sameness: null
"""
GATES = ("latency_p95", "errors")


def workload(*, sticky: bool = True, same_side: int = 10) -> Workload:
    named = "{header: x-user}" if sticky else "{random: true}"
    return parse_config(CONFIG.format(sticky=named, same_side=same_side)).workload("chat")


class Step:
    """A step at 10 % with live requests and copies. Each call adds a second of traffic."""

    def __init__(self, config: Workload, percent: float = 10) -> None:
        self.evidence = Evidence.fresh(config, percent, 0)
        self._rng, self._at_ms, self._requests = np.random.default_rng(7), 1, 0

    def live(
        self,
        n: int,
        *,
        candidate: float,
        baseline: float = 1.0,
        errors: tuple[int, int] = (0, 0),
        origin: Origin = Origin.LIVE,
    ) -> None:
        """Add ``n`` live requests of each side. ``origin``: the origin of the candidate's requests.

        ``candidate``, ``baseline``: the median latency of the side in seconds.
        """
        sides = [
            SideOutcomes(
                side,
                origin if side is Side.CANDIDATE else Origin.LIVE,
                n,
                failed,
                {"http_500": failed},
                latency_ms=Histogram.of(1000 * seconds * self._rng.lognormal(0, 0.2, n - failed)),
            )
            for side, seconds, failed in (
                (Side.CANDIDATE, candidate, errors[0]),
                (Side.BASELINE, baseline, errors[1]),
            )
        ]
        self._at_ms += 1000
        flush = Outcomes("chat", "x", self._at_ms, self._at_ms - 1000, self._at_ms, tuple(sides))
        self.evidence.fold_outcomes(flush)
        self.evidence.verdicts(self._at_ms)

    def copies(self, n: int, *, candidate: float, failing: float = 0.0, ending: Ending = Ending.COMPLETE) -> None:
        """Add ``n`` requests of which each side got a copy. ``candidate``: its latency / the baseline's.

        ``failing``: the share of the candidate's copies that fail.
        """
        for _ in range(n):
            self._requests += 1
            shared = 1000 * self._rng.lognormal(0, 0.5)
            own, base = shared * candidate * self._rng.lognormal(0, 0.1), shared * self._rng.lognormal(0, 0.1)
            status = 503 if self._rng.random() < failing else 200
            live = AnswerFacts(Origin.LIVE, status=200, total_ms=1.0)
            answer = AnswerFacts(Origin.SHADOW, status=status, total_ms=own, ending=ending)
            cross = ScoredPair(
                f"id-{self._requests}", "chat", PairKind.CROSS, self._at_ms, self._at_ms, False, "candidate_status",
                baseline=live, candidate=answer, sticky=f"user-{self._requests % 97}", both_copied=True,
            )  # fmt: skip
            again = replace(answer, status=200, total_ms=base, ending=Ending.COMPLETE)
            for pair in (
                cross,
                replace(cross, pair_id=f"{cross.pair_id}~noise", kind=PairKind.NOISE, candidate=again),
            ):
                self.evidence.fold_scored(pair)
        self._at_ms += 1000
        self.evidence.verdicts(self._at_ms)

    def single(self, n: int, *, failing: float = 0.0) -> None:
        """Add ``n`` requests of which only the candidate got a copy. ``failing``: the share of copies that fail."""
        for _ in range(n):
            self._requests += 1
            status = 503 if self._rng.random() < failing else 200
            pair = ScoredPair(
                f"id-{self._requests}", "chat", PairKind.CROSS, self._at_ms, self._at_ms, False, "candidate_status",
                baseline=AnswerFacts(Origin.LIVE, status=200), candidate=AnswerFacts(Origin.SHADOW, status=status),
            )  # fmt: skip
            self.evidence.fold_scored(pair)
        self._at_ms += 1000
        self.evidence.verdicts(self._at_ms)

    def verdict(self, gate: str) -> Verdict:
        return next(v for v in self.evidence.verdicts(self._at_ms) if v.gate == gate)

    def outcomes(self) -> dict[str, tuple[str, str]]:
        return {gate: (self.verdict(gate).outcome, self.verdict(gate).basis) for gate in GATES}


@pytest.mark.parametrize(
    ("task", "sticky", "differ"),
    [
        ("classification", "{random: true}", False),
        ("classification", "{route: true}", True),
        ("classification", "null", True),
        ("chat", "null", True),
    ],
)
def test_requests_count_as_assigned_at_random_only_if_the_file_says_so(task: str, sticky: str, differ: bool) -> None:
    text = CONFIG.format(sticky=sticky, same_side=10).replace("    baseline:", f"    task: {task}\n    baseline:")
    step = Step(parse_config(text).workload("chat"))
    step.live(50, candidate=1.0)
    step.copies(40, candidate=1.0)
    assert step.outcomes()["errors"][1] == ("pairs" if differ else "both")


def test_with_sticky_users_the_copies_decide_although_live_requests_differ() -> None:
    step = Step(workload())
    for _ in range(40):
        step.copies(40, candidate=1.0)
        step.live(50, candidate=2.5, errors=(1, 0))
    assert step.outcomes() == {"latency_p95": ("pass", "pairs"), "errors": ("pass", "pairs")}
    assert "of both sides' copies of" in step.verdict("latency_p95").message
    assert "copy failed in 0 of" in step.verdict("errors").message


def test_a_candidate_of_which_few_copies_hang_fails_although_its_quantile_is_within_the_limit() -> None:
    step = Step(workload())
    for _ in range(30):
        step.copies(39, candidate=1.0)
        step.copies(1, candidate=60.0, ending=Ending.TIMEOUT)
    assert step.outcomes()["errors"] == ("fail", "pairs")
    assert step.outcomes()["latency_p95"][0] != "fail"


def test_a_candidate_whose_copies_are_slower_fails_although_live_requests_are_equal() -> None:
    step = Step(workload())
    for _ in range(30):
        step.copies(30, candidate=1.5)
        step.live(20, candidate=1.0)
    verdict = step.verdict("latency_p95")
    assert (verdict.outcome, verdict.basis) == ("fail", "pairs")
    assert verdict.value == pytest.approx(1.5, rel=0.1)
    assert verdict.pairs
    assert verdict.pairs[0].id.startswith("id-")


def test_a_candidate_whose_copies_fail_more_often_fails_and_the_pairs_are_named() -> None:
    step = Step(workload())
    for _ in range(20):
        step.copies(30, candidate=1.0, failing=0.1)
    verdict = step.verdict("errors")
    assert (verdict.outcome, verdict.basis) == ("fail", "pairs")
    assert len(verdict.pairs) == 10


def test_copies_at_the_candidate_only_speed_up_the_proof_of_few_errors_but_fail_no_candidate() -> None:
    step, alone = Step(workload()), Step(workload())
    for _ in range(10):
        step.copies(5, candidate=1.0)
        step.single(300)
        alone.copies(5, candidate=1.0)
    assert (step.outcomes()["errors"], alone.outcomes()["errors"]) == (("pass", "pairs"), ("inconclusive", "pairs"))
    assert "requests that the baseline answered" in step.verdict("errors").message
    for _ in range(10):
        alone.single(300, failing=0.03)
    assert alone.outcomes()["errors"] == ("inconclusive", "pairs")


def test_hung_copies_count_as_longer_than_their_time_limit() -> None:
    step = Step(workload())
    for _ in range(30):
        step.copies(30, candidate=20.0, ending=Ending.TIMEOUT)
    assert step.outcomes() == {"latency_p95": ("fail", "pairs"), "errors": ("fail", "pairs")}
    slow = Step(workload())
    for _ in range(30):
        slow.copies(30, candidate=2.5, ending=Ending.TIMEOUT)  # far from hanging, so nothing is known about errors
    assert slow.outcomes() == {"latency_p95": ("fail", "pairs"), "errors": ("inconclusive", "live")}


@pytest.mark.parametrize(
    ("gate", "live"), [("latency_p95", {"candidate": 6.0}), ("errors", {"candidate": 1.0, "errors": (10, 0)})]
)
def test_live_requests_far_beyond_the_limit_fail_though_the_copies_pass(gate: str, live) -> None:
    step = Step(workload())
    for _ in range(40):
        step.copies(40, candidate=1.0)
    assert step.verdict(gate).outcome == "pass"
    for _ in range(20):
        step.live(50, **live)
    verdict = step.verdict(gate)
    assert (verdict.outcome, verdict.basis) == ("fail", "pairs")
    assert verdict.message.startswith("live requests: ") or ": live requests: " in verdict.message


def test_the_first_answers_of_a_step_are_left_out_of_pairs_too() -> None:
    by_copies, by_live = Step(workload()), Step(workload())
    by_copies.copies(60, candidate=1.0)
    by_live.live(100, candidate=1.0)
    by_live.copies(60, candidate=1.0)
    assert by_copies.verdict("latency_p95").n == by_live.verdict("latency_p95").n - 50


def test_without_sticky_users_live_requests_count_beside_the_copies() -> None:
    step = Step(workload(sticky=False))
    for _ in range(5):
        step.copies(40, candidate=1.0)
    for _ in range(40):
        step.live(50, candidate=1.5)
    assert step.outcomes()["latency_p95"] == ("fail", "both")


def test_copies_alone_pass_without_sticky_users_too() -> None:
    step = Step(workload(sticky=False))
    for _ in range(40):
        step.copies(40, candidate=1.0)
        step.live(1, candidate=1.0)
    step.live(50, candidate=1.0)  # the first fifty or so are the warm-up
    step.live(40, candidate=1.0)
    assert step.outcomes() == {"latency_p95": ("pass", "both"), "errors": ("pass", "both")}
    assert "also 40 live requests" in step.verdict("latency_p95").message


def test_at_0_percent_the_copies_decide_because_the_baseline_answers_clients() -> None:
    step = Step(workload(sticky=False), percent=0)
    for _ in range(40):
        step.copies(40, candidate=1.0)
        step.live(50, candidate=2.0, origin=Origin.SHADOW)
    assert step.outcomes() == {"latency_p95": ("pass", "pairs"), "errors": ("pass", "pairs")}


@pytest.mark.parametrize("config", [workload(), workload(same_side=0)], ids=["expected", "not configured"])
def test_without_any_pair_of_copies_live_requests_decide(config: Workload) -> None:
    step = Step(config)
    for _ in range(60):
        step.live(50, candidate=1.0)
    assert step.outcomes() == {"latency_p95": ("pass", "live"), "errors": ("pass", "live")}
    slow = Step(config)
    for _ in range(60):
        slow.live(50, candidate=1.5)
    assert slow.outcomes()["latency_p95"] == ("fail", "live")


def test_with_sticky_users_live_requests_do_not_decide_before_there_could_be_pairs() -> None:
    step = Step(workload())
    for _ in range(MOST_WITHOUT_COPIES // 2):
        step.live(1, candidate=2.0)
    assert step.verdict("latency_p95").outcome == "inconclusive"
    assert step.verdict("latency_p95").evidence < 0.5


def test_a_pass_by_live_requests_ends_when_pairs_of_copies_come() -> None:
    step = Step(workload())
    for _ in range(60):
        step.live(50, candidate=1.0)
    assert step.verdict("latency_p95").outcome == "pass"
    step.copies(30, candidate=1.0)
    assert step.outcomes()["latency_p95"] == ("inconclusive", "pairs")


def test_at_100_percent_no_request_is_copied_to_both_sides() -> None:
    assert Step(workload(), percent=100).verdict("latency_p95").basis == "live"
    assert Step(workload(), percent=100).evidence.state[-1][-1]["latency_p95"][0] == "LatencyGate 1.2"


def test_gates_on_answers_have_pairs_as_their_basis_and_guards_have_live_requests() -> None:
    verdicts = {v.gate: v.basis for v in Step(workload()).evidence.verdicts(0)}
    assert (verdicts["defects"], verdicts["errors_fast"], verdicts["envoy_failures"]) == ("pairs", "live", "live")


def test_the_evidence_continues_from_its_stored_form() -> None:
    config = workload()
    step = Step(config)
    for i in range(30):
        step.copies(20, candidate=1.1, failing=0.01)
        step.live(20, candidate=1.2)
        before = step.evidence.verdicts(0)
        step.evidence = Evidence.from_json(config, step.evidence.to_json())
        assert step.evidence.verdicts(0) == before, i
    other = workload(sticky=False)
    assert Evidence.from_json(other, step.evidence.to_json()).verdicts(0)  # gates of another kind start without data
