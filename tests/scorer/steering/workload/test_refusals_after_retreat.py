"""A rise of the baseline's 4xx after a retreat is announced once, and shown while it lasts."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import Command, CommandKind, Phase
from scorer.steering.notify.channels import ALARM_TRIGGERS
from scorer.steering.store_protocol import News
from scorer.steering.workload.refusals_after_retreat import EVENT, WATCHED_MS, RefusalWatchAfterRetreat, Refused
from tests.support.steered_workload import SteeredWorkload


def flush(at_ms: int, requests: int, refused: int, side: Side = Side.BASELINE, origin: Origin = Origin.LIVE) -> News:
    counts = SideOutcomes(side, origin, requests, refused=refused)
    return News(outcomes=(Outcomes("chat", "x", at_ms, at_ms, at_ms + 1, (counts,)),))


def announced(chat: SteeredWorkload, now_ms: int, news: News) -> list[str]:
    return [d.reason for d in chat.decisions(now_ms, news=news) if d.event == EVENT]


def roll_back(chat: SteeredWorkload, now_ms: int, percent: float | None = None) -> None:
    command = Command(CommandKind.ROLLBACK, "me", percent=percent, at_ms=now_ms, id=f"{now_ms}-0")
    chat.tick(now_ms, news=News(commands=(command,)))


@pytest.fixture
def chat(chat: SteeredWorkload) -> SteeredWorkload:
    """A workload whose candidate has 50 % of the requests. Each side has refused 2 of 200 requests."""
    chat.set_ramp(phase=Phase.BAKING, percent=50)
    for at, side in ((2_000, Side.BASELINE), (2_100, Side.CANDIDATE)):
        chat.tick(at, news=flush(at, 200, 2, side))
    return chat


def test_more_4xx_than_before_the_retreat_are_announced_once_with_what_to_do(chat: SteeredWorkload) -> None:
    roll_back(chat, 3_000)
    assert chat.state.ramp.percent == 0
    (reason,) = announced(chat, 4_000, flush(3_500, 100, 20))
    assert reason == (
        "since the retreat from 50 % the baseline cloud answers 20.0% of the clients' requests with a 4xx; before it, "
        "1.0% got one: see what the 4xx says; if it names reasoning, a signature or an id, the candidate made it: "
        "backends.cloud.foreign_reasoning: strip"
    )
    assert announced(chat, 4_100, flush(4_050, 100, 20)) == []
    assert [(one.side, one.cause) for one in chat.status(4_100).refusals] == [("baseline", EVENT)]
    assert "since the retreat from 50 %" in chat.status(4_100).message
    assert EVENT in ALARM_TRIGGERS


@pytest.mark.parametrize(
    "news",
    [
        flush(3_500, 100, 2),
        flush(3_500, 4, 4),
        flush(3_500, 100, 50, Side.CANDIDATE),
        flush(3_500, 100, 50, origin=Origin.SHADOW),
    ],
    ids=["as before", "few", "at the candidate", "of copies"],
)
def test_other_4xx_are_not_announced(chat: SteeredWorkload, news: News) -> None:
    roll_back(chat, 3_000)
    assert announced(chat, 4_000, news) == []
    assert chat.status(4_000).refusals == ()


def test_without_a_retreat_no_4xx_are_announced(chat: SteeredWorkload) -> None:
    assert announced(chat, 4_000, flush(3_500, 100, 60)) == []


def test_a_lower_share_above_zero_is_a_retreat_too(chat: SteeredWorkload) -> None:
    roll_back(chat, 3_000, percent=10)
    assert chat.state.ramp.percent == 10
    assert len(announced(chat, 4_000, flush(3_500, 100, 20))) == 1


def test_4xx_that_end_are_no_longer_shown_and_are_announced_again_if_they_return(chat: SteeredWorkload) -> None:
    roll_back(chat, 3_000)
    announced(chat, 4_000, flush(3_500, 100, 20))
    for number in range(10):
        chat.tick(5_000 + number, news=flush(4_500 + number, 500, 5))
    assert chat.status(6_000).refusals == ()
    assert len(announced(chat, 7_000, flush(6_500, 500, 300))) == 1


def test_the_next_step_ends_the_watch(chat: SteeredWorkload) -> None:
    roll_back(chat, 3_000)
    chat.set_ramp(phase=Phase.SHADOW)
    command = Command(CommandKind.PROMOTE, "me", force=True, at_ms=4_000, id="4000-0")
    chat.tick(4_000, news=News(commands=(command,)))
    assert chat.state.ramp.percent > 0
    assert announced(chat, 5_000, flush(4_500, 100, 60)) == []


def counts(baseline: Refused) -> dict[str, int]:
    return {f"{Side.BASELINE} requests": baseline.requests, f"{Side.BASELINE} refused": baseline.refused}


def test_what_happens_a_day_after_a_retreat_has_other_causes() -> None:
    watch = RefusalWatchAfterRetreat().after_tick(counts(Refused(1000, 5)), 50, 0, 0)
    assert watch.since_ms == 0
    late = watch.after_tick(counts(Refused(2000, 905)), 0, 0, WATCHED_MS + 1)
    assert (late.since_ms, late.named) == (None, False)


def test_only_the_latest_requests_before_a_retreat_are_compared() -> None:
    watch, total = RefusalWatchAfterRetreat(), Refused()
    for _ in range(40):  # first 10 % were refused, then 1 % of 20,000
        total = Refused(total.requests + 1000, total.refused + (100 if total.requests < 20_000 else 10))
        watch = watch.after_tick(counts(total), 50, 50, 0)
    watch = watch.after_tick(counts(total), 50, 0, 1)
    assert watch.before.share == pytest.approx(0.01)


@given(st.integers(0, 2**32), st.floats(0, 0.3))
def test_an_equal_share_of_4xx_is_not_announced(seed: int, share: float) -> None:
    random, total, watch = Random(seed), Refused(), RefusalWatchAfterRetreat()

    def more(number: int) -> Refused:
        refused = sum(random.random() < share for _ in range(number))
        return Refused(total.requests + number, total.refused + refused)

    total = more(1000)
    watch = watch.after_tick(counts(total), 50, 50, 0).after_tick(counts(total), 50, 0, 1)
    for now in range(20):
        total = more(50)
        watch = watch.after_tick(counts(total), 0, 0, 2 + now)
        assert not watch.named


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), max_size=20))
def test_any_counts_give_shares_that_are_numbers(steps: list[tuple[int, int]]) -> None:
    watch, total = RefusalWatchAfterRetreat(before=Refused(100, 1), since_ms=0), Refused()
    for requests, refused in steps:
        total = Refused(total.requests + requests, total.refused + min(refused, requests))
        watch = watch.after_tick(counts(total), 0, 0, 1)
        assert 0 <= watch.after.share <= 1
        assert math.isfinite(watch.after.share)
