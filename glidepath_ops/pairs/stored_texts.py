"""Reads the texts of a stored pair: the client's request and the answer of each side. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass

from glidepath.config import Workload
from glidepath.pairs import Answer, Pair
from scorer.scoring.answers import CustomSurface, Extracted, Unusable, expectation, extract


@dataclass(frozen=True, slots=True)
class AnswerText:
    """The text of an answer. If the body contains no answer that can be read, the text of the whole body.

    ``problem``: why no answer can be read in the body; "" if one can.
    """

    text: str
    problem: str = ""


def prompt_text(pair: Pair) -> str:
    """Return the text of the request's prompt, or the whole body if no prompt is found in it."""
    return expectation(pair.path, pair.request_body).prompt or pair.request_body.decode("utf-8", "replace")


def answer_text(workload: Workload, pair: Pair, answer: Answer) -> AnswerText:
    """Return the text of one answer of the pair, as the scorer reads it."""
    section = workload.scoring.answer
    found = extract(
        path=pair.path,
        content_type=answer.content_type,
        status=answer.status,
        request_body=pair.request_body,
        response_body=answer.body,
        body_cut=answer.body_cut,
        custom=CustomSurface(section.jsonpath, section.done) if section else None,
    )
    body = answer.body.decode("utf-8", "replace")
    if isinstance(found, Unusable):
        why = f"{found.reason.value}: {found.detail}".rstrip(": ")
        return AnswerText(body, why or answer.error)
    return AnswerText(_text(found) or body)


def _text(found: Extracted) -> str:
    """Return the answer's text, its refusal and its calls. For other kinds of answers, return its values."""
    parts = [found.text, found.refusal and f"[refusal] {found.refusal}"]
    parts += [f"[call] {call.name}({call.raw or json.dumps(call.arguments)})" for call in found.tool_calls]
    if not any(parts):
        parts = [found.label, json.dumps(found.ranking) if found.ranking else ""]
        parts += [f"[vector of {len(vector)}]" for vector in found.vectors[:1]]
    return "\n".join(part for part in parts if part)
