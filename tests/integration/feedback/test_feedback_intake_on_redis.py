"""Feedback is matched with the side that served its request, in a real Redis."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.exceptions import ResponseError

from glidepath.config.user_feedback import FeedbackSection
from glidepath.feedback import Feedback, FeedbackMatch, GivenFeedback, decode_feedback, user_digest
from glidepath.feedback_intake import PARTS, FeedbackStore, ServedRequest
from glidepath.redis_keys import WorkloadKeys
from glidepath.sides import Side

KEYS = WorkloadKeys("chat")
NOW = 1_764_500_000_000
HOUR = 3_600_000


def store(client: Any, **settings: Any) -> FeedbackStore:
    return FeedbackStore(client, "chat", FeedbackSection.model_validate({"window": "8h", **settings}))


def served(name: str, side: Side = Side.CANDIDATE, at_ms: int = NOW) -> ServedRequest:
    return ServedRequest(name, side, at_ms)


async def stored(client: Any) -> list[Feedback]:
    return [decode_feedback(fields[b"f"]) for _, fields in await client.xrange(KEYS.feedback)]


async def test_feedback_counts_for_the_side_that_served_the_request_and_only_once(redis_client: Any) -> None:
    feedback = store(redis_client)
    assert await feedback.remember([served("a"), served("b", Side.BASELINE, NOW + 5)], NOW) == 0
    given = [GivenFeedback("a", 0.25, "ann"), GivenFeedback("b", 1.0), GivenFeedback("a", 1.0), GivenFeedback("c", 1.0)]
    assert [await feedback.give(one, NOW + 10) for one in given] == [
        FeedbackMatch.CANDIDATE,
        FeedbackMatch.BASELINE,
        FeedbackMatch.REPEATED,
        FeedbackMatch.UNKNOWN,
    ]
    assert await stored(redis_client) == [
        Feedback(FeedbackMatch.CANDIDATE, 0.25, NOW, user_digest("chat", "ann")),
        Feedback(FeedbackMatch.BASELINE, 1.0, NOW + 5),
        Feedback(FeedbackMatch.REPEATED, 1.0),
        Feedback(FeedbackMatch.UNKNOWN, 1.0),
    ]


@pytest.mark.parametrize("later", [0, 1, HOUR], ids=["at once", "same part", "next part"])
async def test_a_request_that_is_remembered_again_counts_once(redis_client: Any, later: int) -> None:
    feedback = store(redis_client)
    await feedback.remember([served("a")], NOW)
    assert await feedback.give(GivenFeedback("a", 1.0), NOW) is FeedbackMatch.CANDIDATE
    assert await feedback.remember([served("a"), served("b", Side.BASELINE)], NOW + later) == 0
    assert await feedback.give(GivenFeedback("a", 0.0), NOW + later) is FeedbackMatch.REPEATED
    assert await feedback.give(GivenFeedback("b", 0.0), NOW + later) is FeedbackMatch.BASELINE


async def test_an_unknown_request_is_not_stored_before_the_last_try(redis_client: Any) -> None:
    feedback = store(redis_client)
    assert await feedback.give(GivenFeedback("a", 1.0), NOW, final=False) is FeedbackMatch.UNKNOWN
    assert await stored(redis_client) == []
    await feedback.remember([served("a")], NOW)
    assert await feedback.give(GivenFeedback("a", 1.0), NOW, final=False) is FeedbackMatch.CANDIDATE


async def test_of_many_who_give_feedback_on_one_request_at_once_one_counts(redis_client: Any) -> None:
    feedback = store(redis_client)
    await feedback.remember([served("a")], NOW)
    found = await asyncio.gather(*(feedback.give(GivenFeedback("a", i / 40), NOW) for i in range(40)))
    assert found.count(FeedbackMatch.CANDIDATE) == 1
    assert found.count(FeedbackMatch.REPEATED) == 39


async def test_a_request_is_known_for_the_window_and_forgotten_after_it(redis_client: Any) -> None:
    feedback = store(redis_client)
    await feedback.remember([served("early"), served("late")], NOW)
    assert await feedback.give(GivenFeedback("early", 1.0), NOW + 8 * HOUR - 1) is FeedbackMatch.CANDIDATE
    assert await feedback.give(GivenFeedback("late", 1.0), NOW + 10 * HOUR) is FeedbackMatch.UNKNOWN
    keys = [key async for key in redis_client.scan_iter(match="glidepath:{chat}:*")]
    assert len(keys) == 4  # those of a part, the feedback, and two of what is shown
    for key in keys:
        most = 7 * 24 * HOUR if b":notes" in key else 16 * HOUR
        assert 0 < await redis_client.pttl(key) <= most


async def test_the_remembered_requests_are_bounded_and_what_is_left_out_is_counted(redis_client: Any) -> None:
    feedback = store(redis_client, requests=800)
    most = 800 // PARTS
    assert await feedback.remember([served(f"r{i}") for i in range(most + 30)], NOW) == 30
    assert await feedback.remember([served("late")], NOW) == 1
    assert await feedback.remember([served("next part")], NOW + HOUR) == 0
    assert await feedback.give(GivenFeedback("late", 1.0), NOW) is FeedbackMatch.UNKNOWN


async def test_the_waiting_feedback_is_bounded(redis_client: Any) -> None:
    feedback = store(redis_client, kept=100)
    await feedback.remember([served(f"r{i}") for i in range(600)], NOW)
    for i in range(600):
        await feedback.give(GivenFeedback(f"r{i}", 1.0), NOW)
    assert 100 <= await redis_client.xlen(KEYS.feedback) <= 250


async def test_feedback_that_redis_refuses_can_be_given_again(redis_client: Any) -> None:
    feedback = store(redis_client)
    await feedback.remember([served("a")], NOW)
    await redis_client.set(KEYS.feedback, "not a stream")
    with pytest.raises(ResponseError):
        await feedback.give(GivenFeedback("a", 1.0), NOW)
    await redis_client.delete(KEYS.feedback)
    assert await feedback.give(GivenFeedback("a", 1.0), NOW) is FeedbackMatch.CANDIDATE
