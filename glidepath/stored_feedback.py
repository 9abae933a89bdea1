"""Reads and erases the feedback on individual requests, which Redis keeps to show it with their pairs.

The intake (feedback_intake.py) writes it in the same script that counts the feedback. A request has two fields in the
hash: the score that counted, and the newest label. Both begin with a letter for the side, ``b`` or ``c``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from glidepath.errors import InputError
from glidepath.feedback import FeedbackKind, GivenFeedback, request_digest, score_of
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient
from glidepath.sides import Side

LABEL = b":label"  # ends the field of a label
_SIDES = {b"b": Side.BASELINE, b"c": Side.CANDIDATE}
_PAGE = 500
_LAST_MS = 253_402_300_799_000  # the end of the year 9999


@dataclass(frozen=True, slots=True)
class FeedbackNote:
    """The feedback on one request. ``side``: the side that served it. ``at_ms``: when it was given, in Unix ms.

    ``score``: from 0 to 1; None if there is only a label. ``label``: a text that the client sent with it, or "".
    """

    side: Side
    at_ms: int
    score: float | None = None
    kind: FeedbackKind = FeedbackKind.SCORE
    label: str = ""

    def to_json(self) -> Mapping[str, Any]:
        score = None if self.score is None else round(self.score, 6)
        return {
            "side": self.side.value,
            "given_at_ms": self.at_ms,
            "kind": self.kind.value if score is not None else None,
            "score": score,
            "label": self.label or None,
        }


def score_text(given: GivenFeedback, user: str, at_ms: int) -> str:
    """Return the text that is stored for a score, without the letter of the side; "" without a score.

    ``user``: a digest.
    """
    if given.score is None:
        return ""
    return json.dumps({"score": given.score, "kind": given.kind.value, "user": user, "at_ms": at_ms})


def label_text(given: GivenFeedback, user: str, at_ms: int) -> str:
    """Return the text that is stored for a label, without the letter of the side; "" without a label."""
    if not given.label:
        return ""
    return json.dumps({"label": given.label, "user": user, "at_ms": at_ms}, ensure_ascii=False)


def note_of(score: bytes | None, label: bytes | None) -> FeedbackNote | None:
    """Return the feedback from the two stored fields of a request, or None if neither can be read."""
    found = _read(score)
    text = _read(label)
    side = _SIDES.get((score or label or b"")[:1])
    if side is None or (found is None and text is None):
        return None
    kind, value = FeedbackKind.SCORE, None
    if found is not None:
        with suppress(KeyError, ValueError, TypeError, InputError):
            kind, value = FeedbackKind(found["kind"]), score_of(found["score"])
    times = [int(one.get("at_ms", 0)) for one in (found, text) if one is not None]
    return FeedbackNote(side, max(times), value, kind, str(text.get("label", "")) if text else "")


def _read(raw: bytes | None) -> dict[str, Any] | None:
    with suppress(ValueError, RecursionError):
        found = json.loads(raw[1:]) if raw else None
        if isinstance(found, dict) and isinstance(at_ms := found.get("at_ms"), int) and 0 <= at_ms <= _LAST_MS:
            return found
    return None


async def read_note(client: RedisClient, workload: str, request_id: str) -> FeedbackNote | None:
    """Return the feedback on a request, or None. Raises RedisError or OSError."""
    digest = request_digest(request_id)
    return note_of(*await client.hmget(WorkloadKeys(workload).feedback_notes, [digest, digest + LABEL]))


async def erase_notes(client: RedisClient, workload: str, request_ids: Collection[str], user: str = "") -> int:
    """Erase the feedback on these requests, and the feedback of ``user`` (a digest). Return how many requests had
    feedback.

    Raises RedisError or OSError.
    """
    keys = WorkloadKeys(workload)
    digests = {request_digest(one) for one in request_ids}
    if user:
        cursor = 0
        while True:
            cursor, fields = await client.hscan(keys.feedback_notes, cursor, count=_PAGE)
            digests |= {
                name.removesuffix(LABEL) for name, raw in fields.items() if (_read(raw) or {}).get("user") == user
            }
            if not cursor:
                break
    gone = 0
    for digest in digests:
        gone += bool(await client.hdel(keys.feedback_notes, digest, digest + LABEL))
        await client.zrem(keys.feedback_note_times, digest)
    return gone
