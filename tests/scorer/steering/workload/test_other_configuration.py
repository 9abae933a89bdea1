"""Requests that an Envoy served with a file other than the scorer's: counted, shown, announced, but no evidence."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from glidepath.config import parse_config
from glidepath.histogram import Histogram
from glidepath.outcome_summaries import NO_DIGEST, SEVERAL_DIGESTS, Outcomes, SideOutcomes
from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import PairKind
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import Phase
from scorer.steering.evidence.accumulator import Evidence
from scorer.steering.store_protocol import News
from scorer.steering.workload.other_configuration import LASTS_MS
from scorer.steering.workload.workload_state_codec import encode
from tests.support.steered_workload import SteeredWorkload

OTHERS = ["0123456789ab", NO_DIGEST, SEVERAL_DIGESTS]


@pytest.fixture
def real(valid_yaml: str) -> SteeredWorkload:
    """Return the workload with real evidence."""
    return SteeredWorkload(parse_config(valid_yaml), Evidence)


def at(chat: SteeredWorkload, percent: float) -> None:
    chat.set_ramp(percent=percent, phase=Phase.BAKING if percent else Phase.SHADOW)
    chat.state = replace(chat.state, evidence=chat.spec.fresh_evidence(chat.state.ramp, 1000))


def flush(seq: int, served: str, requests: int = 10, errors: int = 0, origin: Origin = Origin.LIVE) -> News:
    latency = Histogram({100: requests - errors})
    kinds = {"http_503": errors} if errors else {}
    side = SideOutcomes(Side.CANDIDATE, origin, requests, errors, kinds, latency_ms=latency, served=served)
    return News(outcomes=(Outcomes("chat", "x", seq, 2_000 + seq, 2_001 + seq, (side,)),))


def pair(served: str, number: int = 1) -> News:
    facts = AnswerFacts(origin=Origin.LIVE)
    scored = ScoredPair(
        f"p{number}", "chat", PairKind.CROSS, 2_500, 2_600, True, agreement=0.9, baseline=facts, candidate=facts,
        served=served,
    )  # fmt: skip
    return News(scored=(scored,))


@pytest.mark.parametrize("other", OTHERS)
def test_in_shadow_nothing_that_another_configuration_served_is_evidence(real: SteeredWorkload, other: str) -> None:
    real.tick(3_000, news=flush(1, other, errors=10, origin=Origin.SHADOW))
    real.tick(3_100, news=pair(other))
    status = real.status(3_200)
    assert (status.candidate.requests, status.candidate.errors, status.agreement) == (0, 0, None)
    assert status.other_configuration == 11
    assert (
        f"another configuration of chat (digest {other}) than this scorer's file ({real.spec.served})" in status.message
    )


@pytest.mark.parametrize("served", ["", None])
def test_what_the_same_configuration_served_is_evidence(real: SteeredWorkload, served: str | None) -> None:
    digest = real.spec.served if served is None else served
    real.tick(3_000, news=flush(1, digest, origin=Origin.SHADOW))
    real.tick(3_100, news=pair(digest))
    status = real.status(3_200)
    assert (status.candidate.requests, status.agreement, status.other_configuration) == (10, 0.9, 0)
    assert "another configuration" not in status.message


@pytest.mark.parametrize("other", OTHERS)
def test_with_a_share_the_guards_still_count_errors_but_nothing_else_is_evidence(
    real: SteeredWorkload, other: str
) -> None:
    at(real, 25)
    real.tick(3_000, news=flush(1, other))
    real.tick(3_100, news=pair(other))
    status = real.status(3_200)
    assert (status.candidate.requests, status.candidate.p50_ms, status.agreement) == (10, None, None)
    decided = [d for seq in range(2, 12) for d in real.decisions(3_200 + seq, news=flush(seq, other, errors=10))]
    assert [(d.event, d.to_percent) for d in decided if d.event == "rollback"] == [("rollback", 0.0)]


def test_another_configuration_is_announced_once_and_holds_the_ramp_and_its_end_restarts_the_evidence(
    real: SteeredWorkload,
) -> None:
    at(real, 25)
    (began,) = [d for d in real.decisions(3_000, news=flush(1, "other")) if d.event == "other_configuration"]
    assert "render again, reload Envoy" in began.reason
    assert real.decisions(3_100, news=flush(2, "other")) == ()
    assert "serves another configuration" in real.state.inputs.frozen
    epoch = real.state.ramp.epoch
    real.tick(10_000, news=flush(3, real.spec.served))
    assert real.status(10_000).candidate.requests == 30
    over = 2_003 + LASTS_MS
    (ended,) = [d for d in real.decisions(over) if d.event == "other_configuration"]
    assert "again" in ended.reason
    assert (real.state.ramp.epoch, real.state.inputs.frozen) == (epoch + 1, "")
    assert real.status(over).candidate.requests == 0
    assert real.decisions(over + 100) == ()


def restart(real: SteeredWorkload, now_ms: int) -> None:
    real.restore(json.loads(encode(real.state)), now_ms)


def test_what_was_served_before_a_restart_is_refused_but_neither_announced_nor_holds_the_ramp(
    real: SteeredWorkload,
) -> None:
    real.tick(1_500)
    restart(real, 10_000)
    left = News(outcomes=flush(1, "other", origin=Origin.SHADOW).outcomes, scored=pair("other").scored)
    assert [d.event for d in real.decisions(10_100, news=left)] == []
    status = real.status(10_200)
    assert (status.candidate.requests, status.agreement, status.other_configuration) == (0, None, 11)
    assert (real.state.inputs.frozen, "another configuration" in status.message) == ("", False)


def test_an_envoy_that_still_serves_another_configuration_after_a_restart_is_announced_at_its_next_flush(
    real: SteeredWorkload,
) -> None:
    real.tick(3_000, news=flush(1, "other"))
    restart(real, 10_000)
    real.tick(10_100, news=flush(2, "other"))
    assert real.state.inputs.frozen == ""
    events = [d.event for d in real.decisions(11_100, news=flush(9_000, "other"))]
    assert (events, "another configuration" in real.state.inputs.frozen) == (["other_configuration"], True)


def test_a_pair_from_before_a_restart_that_is_scored_after_it_does_not_stop_the_ramp(real: SteeredWorkload) -> None:
    real.tick(1_500)
    restart(real, 10_000)
    assert real.decisions(10_500, news=News(scored=(replace(pair("other").scored[0], scored_at_ms=10_400),))) == ()
    (announced,) = real.decisions(11_500, news=News(scored=(replace(pair("other").scored[0], captured_at_ms=11_000),)))
    assert announced.event == "other_configuration"
