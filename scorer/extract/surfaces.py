"""Which form a body was written in. Its shape decides, as the two sides may speak differently; the path breaks ties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scorer.extract import openai_chat
from scorer.extract.answer import Expectation, Extracted, Surface
from scorer.extract.body import Stream


@dataclass(frozen=True, slots=True)
class Form:
    """How to know one form by a document (or an event: its name and its data) and how to read it."""

    surface: Surface
    is_document: Callable[[object, Surface], bool]
    document: Callable[[object, Expectation], Extracted]
    is_event: Callable[[str, dict[str, object]], bool] | None = None
    stream: Callable[[Stream, Expectation], Extracted] | None = None


def form_of_document(value: object, hint: Surface) -> Form | None:
    return next((form for form in FORMS if form.is_document(value, hint)), None)


def form_of_stream(stream: Stream) -> Form | None:
    """By the first event that any form knows."""
    for name, doc in stream.objects():
        for form in FORMS:
            if form.is_event is not None and form.is_event(name, doc):
                return form
    return None


def _choice_with(doc: object, *keys: str) -> bool:
    choices = doc.get("choices") if isinstance(doc, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return isinstance(first, dict) and any(key in first for key in keys)


def _is_chat(value: object, hint: Surface) -> bool:
    if not isinstance(value, dict) or "choices" not in value:
        return False
    if str(value.get("object", "")).startswith("chat.completion"):
        return True
    return _choice_with(value, "message", "delta") or (hint is Surface.OPENAI_CHAT and not _choice_with(value, "text"))


def _is_completion(value: object, hint: Surface) -> bool:
    return (
        isinstance(value, dict)
        and "choices" in value
        and (
            _choice_with(value, "text")
            or value.get("object") == "text_completion"
            or hint is Surface.OPENAI_COMPLETIONS
        )
    )


FORMS: tuple[Form, ...] = (
    Form(
        Surface.OPENAI_CHAT,
        _is_chat,
        openai_chat.chat_document,
        lambda _, doc: _is_chat(doc, Surface.UNKNOWN),
        openai_chat.chat_stream,
    ),
    Form(
        Surface.OPENAI_COMPLETIONS,
        _is_completion,
        openai_chat.completion_document,
        lambda _, doc: _is_completion(doc, Surface.UNKNOWN),
        openai_chat.completion_stream,
    ),
)
