"""Tests of the feedback that Redis keeps so that it can be shown with its pair.

Redis keeps the score that counted and the newest label. It keeps them for a limited number of requests and a limited
time, or until they are erased.
"""

from __future__ import annotations

from typing import Any

from glidepath.config.user_feedback import FeedbackSection
from glidepath.feedback import FeedbackKind, FeedbackMatch, GivenFeedback, user_digest
from glidepath.feedback_intake import FeedbackStore, ServedRequest
from glidepath.redis_keys import WorkloadKeys
from glidepath.sides import Side
from glidepath.stored_feedback import FeedbackNote, erase_notes, read_note

KEYS = WorkloadKeys("chat")
NOW = 1_764_500_000_000


def store(client: Any, **settings: Any) -> FeedbackStore:
    return FeedbackStore(client, "chat", FeedbackSection.model_validate({"window": "8h", **settings}), shown_s=3600)


async def remember(feedback: FeedbackStore, *names: str, side: Side = Side.CANDIDATE) -> None:
    assert await feedback.remember([ServedRequest(name, side, NOW) for name in names], NOW) == 0


async def test_the_score_that_counted_and_the_newest_label_are_shown(redis_client: Any) -> None:
    feedback = store(redis_client)
    await remember(feedback, "a")
    thumb = GivenFeedback("a", 0.0, kind=FeedbackKind.THUMBS, label="rude")
    assert await feedback.give(thumb, NOW + 1) is FeedbackMatch.CANDIDATE
    assert await feedback.give(GivenFeedback("a", 1.0, label="no, polite"), NOW + 2) is FeedbackMatch.REPEATED
    shown = FeedbackNote(Side.CANDIDATE, NOW + 2, 0.0, FeedbackKind.THUMBS, "no, polite")
    assert await read_note(redis_client, "chat", "a") == shown


async def test_a_label_alone_counts_for_no_side_and_leaves_room_for_a_score(redis_client: Any) -> None:
    feedback = store(redis_client)
    await remember(feedback, "a", side=Side.BASELINE)
    assert await feedback.give(GivenFeedback("a", None, label="slow"), NOW) is FeedbackMatch.NOTED
    assert await redis_client.xlen(KEYS.feedback) == 0
    assert await feedback.give(GivenFeedback("a", 1.0), NOW + 1) is FeedbackMatch.BASELINE
    assert await read_note(redis_client, "chat", "a") == FeedbackNote(
        Side.BASELINE, NOW + 1, 1.0, FeedbackKind.SCORE, "slow"
    )


async def test_feedback_on_an_unknown_request_is_not_kept(redis_client: Any) -> None:
    feedback = store(redis_client)
    assert await feedback.give(GivenFeedback("a", None, label="slow"), NOW) is FeedbackMatch.UNKNOWN
    assert await feedback.give(GivenFeedback("a", 1.0, label="slow"), NOW) is FeedbackMatch.UNKNOWN
    assert await redis_client.exists(KEYS.feedback_notes, KEYS.feedback_note_times) == 0


async def test_only_the_newest_feedback_is_kept_and_for_a_time(redis_client: Any) -> None:
    feedback = store(redis_client, shown=3)
    names = [f"r{i}" for i in range(8)]
    await remember(feedback, *names)
    for i, name in enumerate(names):
        await feedback.give(GivenFeedback(name, 1.0, label="good"), NOW + i)
    known = [name for name in names if await read_note(redis_client, "chat", name)]
    assert known == names[-3:]
    assert await redis_client.hlen(KEYS.feedback_notes) == 6
    assert await redis_client.zcard(KEYS.feedback_note_times) == 3
    assert 0 < await redis_client.pttl(KEYS.feedback_notes) <= 3_600_000


async def test_nothing_is_kept_where_shown_is_0(redis_client: Any) -> None:
    feedback = store(redis_client, shown=0)
    await remember(feedback, "a")
    assert await feedback.give(GivenFeedback("a", 1.0, label="good"), NOW) is FeedbackMatch.CANDIDATE
    assert await redis_client.exists(KEYS.feedback_notes) == 0


async def test_feedback_counts_although_redis_refuses_what_is_shown(redis_client: Any) -> None:
    feedback = store(redis_client)
    await remember(feedback, "a")
    await redis_client.set(KEYS.feedback_notes, "no hash")
    assert await feedback.give(GivenFeedback("a", 1.0), NOW) is FeedbackMatch.CANDIDATE
    assert await redis_client.xlen(KEYS.feedback) == 1


async def test_the_feedback_of_a_user_and_of_a_request_is_erased_and_no_other(redis_client: Any) -> None:
    feedback = store(redis_client)
    await remember(feedback, "a", "b", "c")
    await feedback.give(GivenFeedback("a", 1.0, "ann", label="mine"), NOW)
    await feedback.give(GivenFeedback("b", None, "ann", label="mine, too"), NOW)
    await feedback.give(GivenFeedback("c", 1.0, "ben"), NOW)
    assert await erase_notes(redis_client, "chat", (), user_digest("chat", "ann")) == 2
    assert [await read_note(redis_client, "chat", name) is None for name in "abc"] == [True, True, False]
    assert await erase_notes(redis_client, "chat", ["c", "nothing"]) == 1
    assert await redis_client.exists(KEYS.feedback_notes, KEYS.feedback_note_times) == 0
