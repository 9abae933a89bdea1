"""Live requests of different users: a user whose requests fail at both sides, and a candidate that breaks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from glidepath.sides import Side
from glidepath.status_and_decisions import Verdict
from scorer.steering.evidence.accumulator import Evidence
from tests.support.evidence_builders import by_gate, flush, side, workload_of

GATES = "    gates: {errors: {max_increase: 0.5%}, latency: []}\n"
RANDOM = "    sticky: {random: true}\n"
OWN, BASE = 10, 30


class Traffic:
    """Flushes of ten requests of the candidate and thirty of the baseline, with errors of given rates.

    - ``candidate``, ``baseline``: the rates of the clients' requests that fail
    - ``copies``, ``own_copies``: the rates of the baseline's copies that fail, of either side's requests; None: there
      are no such copies
    - ``failed_too``: the rate of the candidate's errors that fail at the baseline too
    - ``of_the_baseline``: whether the baseline itself answers these with an error
    """

    def __init__(
        self,
        candidate: float,
        *,
        copies: float = 0.002,
        own_copies: float | None = 0.002,
        failed_too: float = 0.0,
        baseline: float = 0.002,
        of_the_baseline: bool = True,
        seed: int = 1,
    ) -> None:
        self._rng = np.random.default_rng(seed)
        self._candidate, self._baseline, self._failed_too = candidate, baseline, failed_too
        self._of_the_baseline = of_the_baseline
        self._copies, self._own_copies = copies, own_copies

    def fold(self, evidence: Evidence, first: int, flushes: int) -> int | None:
        """Add flushes until a gate fails. Return the number of the candidate's errors by then, or None."""
        errors = 0
        for seq in range(first, first + flushes):
            failed, base = int(self._rng.binomial(OWN, self._candidate)), int(self._rng.binomial(BASE, self._baseline))
            too = int(self._rng.binomial(failed, self._failed_too))
            errors += failed
            evidence.fold_outcomes(
                flush(
                    seq * 4,
                    side(
                        Side.CANDIDATE,
                        OWN,
                        failed,
                        rescued=failed - too,
                        rescues_failed=too,
                        failed_at_both=too if self._of_the_baseline else 0,
                        copies=(OWN - failed, int(self._rng.binomial(OWN - failed, self._copies))),
                    ),
                    side(Side.BASELINE, BASE, base, copies=self._of_own_requests()),
                )
            )
            if any(v.outcome == "fail" for v in evidence.verdicts(1000 + seq * 1000)):
                return errors
        return None

    def _of_own_requests(self) -> tuple[int, int]:
        if self._own_copies is None:
            return 0, 0
        return 3, int(self._rng.binomial(3, self._own_copies))


def fresh(percent: float = 25, more: str = "") -> Evidence:
    return Evidence.fresh(workload_of(more + GATES), percent, 1000)


def errors_fast(evidence: Evidence) -> Verdict:
    return by_gate(evidence)["errors_fast"]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("candidate", "copies", "failed_too"),
    [(0.1, 0.1, 0.1), (0.1, 0.002, 1.0), (0.06, 0.06, 0.06)],
    ids=["each fails its own", "the same requests fail", "fewer"],
)
def test_a_user_whose_requests_fail_at_both_sides_is_no_fault_of_the_candidate(
    candidate: float, copies: float, failed_too: float, seed: int
) -> None:
    evidence = fresh()
    found = Traffic(candidate, copies=copies, failed_too=failed_too, seed=seed).fold(evidence, 0, 250)
    assert found is None, by_gate(evidence)


def test_the_message_says_what_was_corrected() -> None:
    evidence = fresh()
    Traffic(0.1, copies=0.1, failed_too=0.2).fold(evidence, 0, 100)
    assert re.fullmatch(
        r"\d+ of the candidate's \d+ requests failed, \d of the baseline's 3000; \d+ more errors came in bursts of one "
        r"cause; the baseline failed \d\d of \d{3} copies of requests that the candidate answered; \d\d of the "
        r"candidate's failed at the baseline too",
        errors_fast(evidence).message,
    )


WITHOUT = {"copies": 0.0, "own_copies": 0.0}


@pytest.mark.parametrize("rate", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("healthy", [0, 100])
@pytest.mark.parametrize(
    "copies",
    [{"copies": 0.002, "own_copies": 0.002}, {"copies": 0.02, "own_copies": 0.02}],
    ids=["sound copies", "2 % of the copies fail"],
)
def test_a_candidate_that_breaks_is_rolled_back_as_fast_as_without_copies(
    copies: dict[str, float], healthy: int, rate: float
) -> None:
    needed = {}
    for name, rates in (("with", copies), ("without", WITHOUT)):
        failed = []
        for seed in range(3):
            evidence = fresh()
            assert Traffic(0.002, **rates, seed=seed).fold(evidence, 0, healthy) is None
            failed.append(Traffic(rate, **rates, seed=100 + seed).fold(evidence, healthy, 200))
        needed[name] = failed
    assert None not in needed["with"] + needed["without"]
    assert np.mean(needed["with"]) <= 1.2 * np.mean(needed["without"]) + 1


@pytest.mark.parametrize("seed", range(3))
def test_copies_that_fail_because_they_are_copies_hide_no_candidate_if_nothing_shows_why_they_fail(seed: int) -> None:
    """Without ``shadow.same_side``, the baseline has no copies of its own requests."""
    evidence = fresh()
    assert Traffic(0.002, copies=0.2, own_copies=None, seed=seed).fold(evidence, 0, 100) is None
    failed = Traffic(0.1, copies=0.2, own_copies=None, seed=100 + seed).fold(evidence, 100, 100)
    assert failed is not None
    assert failed <= 50


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rate", [0.05, 0.1, 0.3])
def test_rescues_that_the_baseline_did_not_answer_itself_hide_no_candidate(rate: float, seed: int) -> None:
    """The candidate answers so late that a time limit of the whole request also ends its rescues."""
    failed = Traffic(rate, failed_too=1.0, of_the_baseline=False, seed=seed).fold(fresh(), 0, 300)
    assert failed is not None
    assert failed <= 25


@pytest.mark.parametrize("rate", [0.4, 0.6, 1.0])
def test_a_candidate_that_breaks_is_rolled_back_although_its_users_fail_at_the_baseline_too(rate: float) -> None:
    evidence = fresh()
    assert Traffic(0.1, copies=0.1, failed_too=0.1).fold(evidence, 0, 200) is None
    failed = Traffic(rate, copies=0.1, failed_too=0.1, seed=2).fold(evidence, 200, 100)
    assert failed is not None
    assert failed <= 60
    assert errors_fast(evidence).outcome == "fail"


@pytest.mark.parametrize(
    ("percent", "more"), [(25, RANDOM), (100, "")], ids=["users are assigned at random", "the baseline has copies only"]
)
def test_nothing_is_corrected_where_both_sides_have_the_same_users(percent: float, more: str) -> None:
    evidence = fresh(percent, more)
    Traffic(0.1, copies=0.1, failed_too=0.5).fold(evidence, 0, 10)
    assert "copies of requests" not in errors_fast(evidence).message
    assert "failed at the baseline too" not in errors_fast(evidence).message


def test_evidence_from_the_baselines_other_users_does_not_count_once_copies_decide() -> None:
    """The results of the copies come just before the errors would suffice."""

    def fold(evidence: Evidence, seq: int, copies: tuple[int, int] = (0, 0)) -> bool:
        own = side(Side.CANDIDATE, OWN, 1, rescued=1, copies=copies)
        evidence.fold_outcomes(flush(seq * 4, own, side(Side.BASELINE, BASE, copies=(3, 0))))
        return errors_fast(evidence).outcome == "fail"

    straight = fresh()
    enough = next(seq for seq in range(100) if fold(straight, seq))
    assert enough > 5
    evidence = fresh()
    assert not any(fold(evidence, seq) for seq in range(enough - 1))
    assert not fold(evidence, enough - 1, copies=(OWN * enough, enough))
    assert not any(fold(evidence, seq, copies=(OWN, 0)) for seq in range(enough, enough + 6))


def test_a_flush_is_corrected_by_earlier_flushes_only() -> None:
    """The copies in the flush of the errors themselves correct nothing."""
    verdicts = []
    for copies in ((8, 6), (0, 0)):
        evidence = fresh()
        Traffic(0.0).fold(evidence, 0, 50)
        own = side(Side.CANDIDATE, 20, 12, copies=copies)
        evidence.fold_outcomes(flush(204, own, side(Side.BASELINE, 300)))
        verdicts.append(errors_fast(evidence).evidence_to_fail)
    assert verdicts[0] == verdicts[1] > 0


def stored(evidence: Evidence) -> Evidence:
    return Evidence.from_json(workload_of(GATES), json.loads(json.dumps(evidence.to_json(), allow_nan=False)))


@pytest.mark.parametrize("keep", [lambda evidence: evidence, stored], ids=["kept", "stored"])
def test_a_restart_keeps_the_correction(keep: Callable[[Evidence], Evidence]) -> None:
    evidence = fresh()
    for first in range(0, 60, 20):
        Traffic(0.1, copies=0.1, failed_too=0.1, seed=first).fold(evidence, first, 20)
        evidence = keep(evidence)
    evidence.fold_outcomes(flush(1000, side(Side.CANDIDATE, 10, 1), side(Side.BASELINE, 30)))
    straight = fresh()
    for first in range(0, 60, 20):
        Traffic(0.1, copies=0.1, failed_too=0.1, seed=first).fold(straight, first, 20)
    straight.fold_outcomes(flush(1000, side(Side.CANDIDATE, 10, 1), side(Side.BASELINE, 30)))
    assert evidence.verdicts(10**6) == straight.verdicts(10**6)
    assert evidence.to_json() == straight.to_json()


def test_an_extproc_that_reports_no_copies_changes_nothing() -> None:
    silent, sound = fresh(), fresh()
    for seq in range(40):
        own, base = side(Side.CANDIDATE, 10, seq % 7 == 0), side(Side.BASELINE, 30)
        silent.fold_outcomes(flush(seq * 4, own, base))
        sound.fold_outcomes(flush(seq * 4, replace(own, baseline_copies=9), replace(base, baseline_copies=3)))
        assert silent.verdicts(10**5) == sound.verdicts(10**5)
