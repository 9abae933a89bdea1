"""The messages to a verifier about a pair, and its replies. Pure.

A blind verifier gets the answers under the names ``a`` and ``b``. A hash of the pair's id decides which is which, so
the order is random but repeatable. The name of the model is left out of the request and of the answers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glidepath.pair_scores import Correctness
from glidepath.sides import Side

if TYPE_CHECKING:  # the scorer's main process only reads replies, and needs less memory without these
    from glidepath.config.comparison import Task
    from scorer.scoring.answers import Extracted

_NAMES = ("a", "b")
_MODEL_NAMES = frozenset({"model", "models", "modelId", "model_id"})  # of a request


@dataclass(frozen=True, slots=True)
class PairToVerify:
    """A pair for the verifier. ``request``: the body of the client's request, as text."""

    id: str
    task: Task
    request: str
    baseline: Extracted
    candidate: Extracted


@dataclass(frozen=True, slots=True)
class VerifierInput:
    """The message to the verifier about one pair; "" if the message would be too large."""

    pair_id: str
    message: str


def message_of(pair: PairToVerify, *, blind: bool) -> str:
    """Return the message to the verifier: one line of JSON, without lone surrogates."""
    answers = {Side.BASELINE: _answer(pair.baseline), Side.CANDIDATE: _answer(pair.candidate)}
    sides = _sides_by_name(pair.id, blind=blind)
    message = {
        "id": pair.id,
        "task": pair.task,
        "request": _request(pair.request, blind=blind),
        "answers": {name: answers[side] for name, side in sides.items()},
    }
    return json.dumps(message)


def correctness_in(reply: bytes, pair_id: str, *, blind: bool) -> Correctness:
    """Return the correctness in a verifier's reply, such as ``{"a": 1, "b": 0.5}``. Other keys are ignored.

    Raises ValueError if the reply is not a JSON object with a number from 0 to 1 under each of the two names.
    """
    try:
        raw = json.loads(reply)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - every bad reply is a ValueError
    by_side = {side: _number(raw, name) for name, side in _sides_by_name(pair_id, blind=blind).items()}
    return Correctness(baseline=by_side[Side.BASELINE], candidate=by_side[Side.CANDIDATE])


def _number(raw: Mapping[str, Any], name: str) -> float:
    value = raw.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{name}: must be a number from 0 to 1 (got {str(value)[:40]!r})")
    return float(value)


def _sides_by_name(pair_id: str, *, blind: bool) -> dict[str, Side]:
    if not blind:
        return {side.value: side for side in Side}
    digest = hashlib.blake2b(pair_id.encode("utf-8", "replace"), digest_size=1, person=b"verifier").digest()
    first = Side.BASELINE if digest[0] & 1 else Side.CANDIDATE
    return dict(zip(_NAMES, (first, first.other), strict=True))


def _answer(answer: Extracted) -> dict[str, Any]:
    """Return the content of an answer. Its model is left out, because it would reveal the side."""
    found: dict[str, Any] = {"text": answer.text or answer.refusal, "finish_reason": answer.finish_reason.value}
    if answer.tool_calls:
        found["tool_calls"] = [
            {"name": call.name, "arguments": call.raw if call.error else call.arguments} for call in answer.tool_calls
        ]
    if len(answer.choices) > 1:
        found["choices"] = [choice.text for choice in answer.choices]
    if answer.label:
        found["label"] = answer.label
    if answer.ranking:
        found["ranking"] = [list(place) for place in answer.ranking]
    if answer.vectors:
        found["vectors"] = [list(vector) for vector in answer.vectors]
    return found


def _request(request: str, *, blind: bool) -> object:
    """Return the request's JSON value, or its text if it is not JSON. If ``blind``, leave out the model's name."""
    try:
        found = json.loads(request)
    except (ValueError, RecursionError):
        return request
    if not blind or not isinstance(found, dict):
        return found
    return {name: value for name, value in found.items() if name not in _MODEL_NAMES}
