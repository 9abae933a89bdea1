"""Tests of whether all traffic fits the baseline's quota after a rollback to 0 %."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config import Config
from scorer.steering.planning.rollback_quota import rollback_loads


def config(quota: Any, shadow: Any = None) -> Config:
    one = {"baseline": "cloud", "candidate": "onprem", "shadow": shadow or {"same_side": 0}}
    return Config.model_validate(
        {
            "backends": {"cloud": {"url": "http://a", "quota": quota}, "onprem": {"url": "http://b"}},
            "workloads": {
                "chat": {"match": {"path": "/chat"}, **one},
                "mail": {"match": {"path": "/mail"}, **one},
            },
        }
    )


def test_the_requests_of_all_workloads_of_a_baseline_count_together() -> None:
    (back,) = rollback_loads(config({"requests": 600}), {"chat": 5, "mail": 5}, {})
    assert (back.backend, back.requests, back.fits) == ("cloud", 600, True)
    (back,) = rollback_loads(config({"requests": 600}), {"chat": 5, "mail": 5.1}, {})
    assert back.fits is False
    assert str(back) == (
        "after a rollback to cloud: 606 requests a minute of 600; a rollback to 0 % would get 429s: raise the quota "
        "before the ramp, and keep it until its end"
    )


def test_copies_of_the_noise_floor_use_the_quota_too() -> None:
    (back,) = rollback_loads(config({"requests": 600}, {"sample": 50, "same_side": 10}), {"chat": 10, "mail": 1}, {})
    assert back.requests == pytest.approx(11 * 60 * 1.05)


def test_a_missing_rate_is_said_and_what_is_known_can_be_too_much_already() -> None:
    (back,) = rollback_loads(config({"requests": 600}), {"chat": 5}, {})
    assert (back.fits, back.unknown) == (None, ("mail",))
    assert str(back) == "after a rollback to cloud: 300 requests a minute of 600, without mail (--rate)"
    (back,) = rollback_loads(config({"requests": 600}), {"chat": 50}, {})
    assert back.fits is False
    (back,) = rollback_loads(config({"requests": 600}), {}, {})
    assert (back.requests, back.fits) == (None, None)


def test_tokens_are_known_from_stored_answers_only() -> None:
    rates = {"chat": 1.0, "mail": 1.0}
    (back,) = rollback_loads(config({"tokens": 100_000}), rates, {"chat": 1000, "mail": 500})
    assert (back.tokens, back.fits) == (90_000, True)
    (back,) = rollback_loads(config({"tokens": 100_000}), rates, {"chat": 1000})
    assert (back.tokens, back.fits) == (None, None)
    assert "unknown tokens a minute of 100,000" in str(back)


def test_a_backend_without_quota_and_a_candidate_are_left_out() -> None:
    assert rollback_loads(config(None), {"chat": 5}, {}) == []


@given(st.floats(0.001, 1e4), st.floats(0.001, 1e4), st.integers(1, 10**6))
def test_more_requests_never_fit_better(rate: float, more: float, quota: int) -> None:
    (one,) = rollback_loads(config({"requests": quota}), {"chat": rate, "mail": rate}, {})
    (two,) = rollback_loads(config({"requests": quota}), {"chat": rate + more, "mail": rate}, {})
    assert one.fits or not two.fits


def test_a_quota_does_not_change_the_digest_of_a_workload() -> None:
    assert config(None).digest("chat") == config({"requests": 5}).digest("chat")
