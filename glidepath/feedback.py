"""Feedback on individual answers: its format, and the records before and after it is matched with a side.

Pure. The intake in Redis is in feedback_intake.py.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from glidepath.errors import InputError
from glidepath.json_object_line import json_object
from glidepath.sides import Side

MAX_ID_CHARS, MAX_USER_CHARS, MAX_LABEL_CHARS = 200, 500, 200
MAX_LINE_BYTES = 10_000
KEYS = ("request_id", "score", "thumbs", "success", "label", "user", "workload")
_SCORES = {"up": 1.0, "down": 0.0}
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_TRACE_REASON = 14  # the position of the digit that Envoy replaces (UuidRequestIdConfig.pack_trace_reason)


class FeedbackMatch(StrEnum):
    """The result of matching feedback with a request: the side for which it counts, or why it counts for no side."""

    BASELINE = "baseline"
    CANDIDATE = "candidate"
    UNKNOWN = "unknown"  # no side is remembered for this request id
    REPEATED = "repeated"  # feedback on this request was given before
    NOTED = "noted"  # a label without a score: it is shown with the pair, but counts for no side

    @property
    def side(self) -> Side | None:
        return Side(self.value) if self in (FeedbackMatch.BASELINE, FeedbackMatch.CANDIDATE) else None


class FeedbackKind(StrEnum):
    """The form in which a score was given."""

    SCORE = "score"
    THUMBS = "thumbs"
    SUCCESS = "success"


@dataclass(frozen=True, slots=True)
class GivenFeedback:
    """Feedback as it was received.

    ``score``: from 0 (bad) to 1 (good); None if there is only a label.
    ``user``: the person who gave it, or "". Only a digest is stored.
    ``workload``: "" if it was not named.
    ``label``: any short text, or "".
    """

    request_id: str
    score: float | None
    user: str = ""
    workload: str = ""
    kind: FeedbackKind = FeedbackKind.SCORE
    label: str = ""


@dataclass(frozen=True, slots=True)
class Feedback:
    """Matched feedback. ``served_at_ms``: when the request ended, in Unix ms. ``user``: a digest, or ""."""

    match: FeedbackMatch
    score: float = 0.0
    served_at_ms: int = 0
    user: str = ""


def parse_feedback(raw: Mapping[str, Any]) -> GivenFeedback:
    """Return the feedback in a JSON object. Raises InputError for any other object.

    - ``request_id``: required
    - ``score``: a number from 0 to 1, "up" or "down"
    - ``thumbs``: "up" or "down", instead of ``score``
    - ``success``: true or false, instead of ``score``
    - ``label``: a text; it needs no score
    - ``user``, ``workload``: optional
    """
    unknown = sorted(set(raw) - set(KEYS))
    if unknown:
        raise InputError(f"{unknown[0][:40]}: unknown key (allowed: {', '.join(KEYS)})")
    request_id = _text(raw, "request_id", MAX_ID_CHARS)
    if not request_id:
        raise InputError("request_id: is missing")
    label = _text(raw, "label", MAX_LABEL_CHARS).strip()
    kind, score = _scored(raw)
    if score is None and not label:
        raise InputError("score: is missing (a number from 0 to 1, up or down; or thumbs, success, or a label)")
    user, workload = _text(raw, "user", MAX_USER_CHARS), _text(raw, "workload", MAX_USER_CHARS)
    return GivenFeedback(request_id, score, user, workload, kind, label)


def _scored(raw: Mapping[str, Any]) -> tuple[FeedbackKind, float | None]:
    """Return the form and the value of the score in a JSON object. The value is None without a score."""
    given = [kind for kind in FeedbackKind if raw.get(kind.value) is not None]
    if len(given) > 1:
        raise InputError(f"{given[1].value}: give only one of {', '.join(FeedbackKind)}")
    if not given:
        return FeedbackKind.SCORE, None
    value = raw[given[0].value]
    if given[0] is FeedbackKind.SUCCESS:
        if not isinstance(value, bool):
            raise InputError(f"success: must be true or false (got {str(value)[:40]!r})")
        return FeedbackKind.SUCCESS, float(value)
    thumb = isinstance(value, str) and value in _SCORES
    if given[0] is FeedbackKind.THUMBS and not thumb:
        raise InputError(f"thumbs: must be up or down (got {str(value)[:40]!r})")
    return (FeedbackKind.THUMBS if thumb else FeedbackKind.SCORE), score_of(value)


def score_of(value: object) -> float:
    """Return ``value`` as a score from 0 to 1. Raises InputError unless it is such a number, "up" or "down"."""
    if isinstance(value, str) and value in _SCORES:
        return _SCORES[value]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(f"score: must be a number from 0 to 1, up or down (got {str(value)[:40]!r})")
    return float(value)


def _text(raw: Mapping[str, Any], key: str, most: int) -> str:
    value = raw.get(key, "")
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > most or not (value.isprintable()):
        raise InputError(f"{key}: must be a printable string of at most {most} characters (got {str(value)[:40]!r})")
    return value


def parse_line(line: bytes) -> GivenFeedback:
    """Return the feedback in one line of JSON. Raises InputError if the line is not valid feedback."""
    wanted = f"a JSON object with the keys {', '.join(KEYS)}"
    return parse_feedback(json_object(line, max_bytes=MAX_LINE_BYTES, wanted=wanted))


def request_digest(request_id: str) -> bytes:
    """Return the digest of a request id under which the request is remembered.

    Envoy may change one digit of a UUID to record why it traces the request, so this digit is left out.
    """
    if _UUID.fullmatch(request_id):
        request_id = request_id[:_TRACE_REASON] + request_id[_TRACE_REASON + 1 :]
    return hashlib.blake2b(request_id.encode("utf-8", "replace"), digest_size=8).digest()


def user_digest(workload: str, user: str) -> str:
    """Return the digest of a user that is stored with the feedback, or "" for no user."""
    if not user:
        return ""
    text = f"{workload}\0{user}".encode("utf-8", "replace")
    return hashlib.blake2b(text, digest_size=8, person=b"feedback").hexdigest()


def decode_feedback(text: str | bytes) -> Feedback:
    """Return the feedback from its stored form, a JSON list of the fields of Feedback.

    Raises InputError for any other text.
    """
    try:
        match, score, served_at_ms, user = json.loads(text)
        found = Feedback(FeedbackMatch(match), float(score), int(served_at_ms), str(user))
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InputError(f"stored feedback cannot be read: {error}") from error
    if not 0 <= found.score <= 1:
        raise InputError(f"stored feedback has the score {found.score}")
    return found
