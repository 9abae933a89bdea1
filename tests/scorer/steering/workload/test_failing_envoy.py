"""An Envoy that itself fails requests is announced once, and shown in the status while it lasts."""

from __future__ import annotations

import pytest

from glidepath.outcome_summaries import AtFault, LocalReplies, Outcomes, SideOutcomes
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import Decision
from scorer.steering.store_protocol import News
from scorer.steering.workload.workload_status import status_of
from tests.support.steered_workload import SteeredWorkload

FAILING = "Envoy itself fails {share} of the requests (overload), not a side: see its access log"


def flush(seq: int, good: int, failed: int, fault: AtFault = AtFault.ENVOY, origin: Origin = Origin.LIVE) -> News:
    sides = (SideOutcomes(Side.BASELINE, Origin.LIVE, good),)
    replies = (LocalReplies(None, origin, fault, {"overload": failed}),)
    return News(outcomes=(Outcomes("chat", "x", seq, 2_000 + seq, 2_001 + seq, sides, local_replies=replies),))


def announced(chat: SteeredWorkload, news: News, now_ms: int) -> list[Decision]:
    return [d for d in chat.decisions(now_ms, news=news) if d.event == "envoy_failing"]


def test_a_failing_envoy_is_announced_once_and_again_after_it_recovered(chat: SteeredWorkload) -> None:
    (first,) = announced(chat, flush(1, 50, 50), 3_000)
    assert (first.reason, first.trigger) == (FAILING.format(share="50%"), "envoy_failing")
    assert announced(chat, flush(2, 50, 50), 3_100) == []
    assert "Envoy itself fails" in status_of(chat.state, "me").message
    for seq in range(3, 20):
        assert announced(chat, flush(seq, 300, 0), 3_200 + seq) == []
    assert "Envoy itself" not in status_of(chat.state, "me").message
    assert len(announced(chat, flush(20, 100, 200), 4_100)) == 1


@pytest.mark.parametrize(
    ("good", "failed", "fault", "origin"),
    [
        (2, 4, AtFault.ENVOY, Origin.LIVE),
        (100, 5, AtFault.ENVOY, Origin.LIVE),
        (50, 50, AtFault.CLIENT, Origin.LIVE),
        (50, 50, AtFault.NONE, Origin.LIVE),
        (50, 50, AtFault.ENVOY, Origin.SHADOW),
    ],
)
def test_few_failures_refused_clients_and_copies_are_not_announced(
    chat: SteeredWorkload, good: int, failed: int, fault: AtFault, origin: Origin
) -> None:
    assert announced(chat, flush(1, good, failed, fault, origin), 3_000) == []


def test_the_status_counts_what_envoy_answered_since_the_beginning(chat: SteeredWorkload) -> None:
    chat.tick(3_000, news=flush(1, 10, 3))
    chat.tick(3_100, news=flush(2, 10, 4))
    chat.tick(3_200, news=flush(3, 10, 5, AtFault.CLIENT))
    shown = status_of(chat.state, "me").local_replies
    assert shown == {"envoy overload": 7, "client overload": 5}
