"""The findings about an evaluator and a verifier that give no results."""

from __future__ import annotations

import pytest

from glidepath_ops.doctor.checks import examine_redis
from glidepath_ops.doctor.evaluator_and_verifier_checks import examine_instruments
from glidepath_ops.doctor.facts import RedisFacts, Severity


@pytest.mark.parametrize(
    ("counts", "level", "text"),
    [
        ({"verifier verified": 50}, Severity.OK, "a result for each of 50 pairs"),
        ({"verifier verified": 95, "verifier timeout": 5}, Severity.OK, "no result for 5 of 100 pairs (5 timeout)"),
        ({"verifier verified": 8, "verifier exit": 2}, Severity.WARN, "no result for 2 of 10 pairs (2 exit)"),
        ({"verifier not_started": 5, "verifier paused": 90}, Severity.FAIL, "(90 paused, 5 not_started)"),
        ({"evaluator judged": 10, "evaluator budget": 900}, Severity.OK, "no result for 900 of 910 pairs (900 budget)"),
        ({"evaluator judged": 5, "evaluator equal": 5}, Severity.OK, "a result for each of 10 pairs"),
        ({"evaluator inconsistent": 19}, Severity.OK, "a result for each of 19 pairs"),
        ({"evaluator inconsistent": 10, "evaluator judged": 10, "evaluator equal": 9}, Severity.OK, "each of 29 pairs"),
        (
            {"evaluator inconsistent": 11, "evaluator judged": 10, "evaluator equal": 9},
            Severity.WARN,
            "in 11 of 21 pairs it chose by the order of the answers",
        ),
        ({"evaluator budget": 900}, Severity.WARN, "no result for 900 of 900 pairs (900 budget)"),
    ],
)
def test_an_instrument_that_often_fails_is_found(counts: dict[str, int], level: Severity, text: str) -> None:
    [found] = examine_instruments("redis", "chat", counts)
    assert (found.level, found.check) == (level, f"chat: {next(iter(counts)).split()[0]}")
    assert text in found.detail
    assert bool(found.remedy) == (level is not Severity.OK)


def test_an_evaluator_that_failed_for_a_while_is_also_reported_if_it_chooses_by_position() -> None:
    counts = {"evaluator inconsistent": 30, "evaluator paused": 900}
    failing, by_position = examine_instruments("redis", "chat", counts)
    assert failing.detail.startswith("no result for 900 of 930 pairs")
    assert "in 30 of 30 pairs it chose by the order" in by_position.detail


def test_an_instrument_that_was_not_asked_has_no_finding_and_both_have_one_each() -> None:
    assert list(examine_instruments("redis", "chat", {})) == []
    both = {"chat": {"evaluator judged": 1, "verifier verified": 1}}
    facts = RedisFacts(url="redis://x", version="7.2", status_age_s={"chat": 1.0}, instruments=both)
    checks = [found.check for found in examine_redis(facts)]
    assert {"chat: evaluator", "chat: verifier"} <= set(checks)
