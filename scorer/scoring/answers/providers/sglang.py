"""The native format of SGLang for ``/generate``.

Source: docs.sglang.ai/basic_usage/native_api.html and sampling_params.html. Its other paths answer in the formats of
OpenAI, Anthropic and Ollama.
"""

from __future__ import annotations

from itertools import pairwise

from scorer.scoring.answers.answer import Choice, Expectation, Extracted, Surface, UnusableReason
from scorer.scoring.answers.body_format import Stream
from scorer.scoring.answers.choice_builder import ChoiceBuilder
from scorer.scoring.answers.strict_json import (
    MAX_CHOICES,
    UnusableBodyError,
    clean,
    count,
    items,
    mapping,
    string,
    too_large,
    truncated,
)


def is_document(value: object) -> bool:
    """Return whether the value is SGLang's answer, or a list of them: for several prompts, or for ``n`` answers."""
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, dict) and isinstance(first.get("text"), str) and isinstance(first.get("meta_info"), dict)


def is_event(_: str, doc: dict[str, object]) -> bool:
    return is_document(doc)


def document(value: object, expected: Expectation) -> Extracted:
    docs = items(value, "body", MAX_CHOICES) if isinstance(value, list) else [value]
    return _answer([[mapping(doc, "an answer")] for doc in docs], expected)


def stream(body: Stream, expected: Expectation) -> Extracted:
    """Read a stream. Each event has the whole text so far or, if the server is set so, only the new part."""
    events: dict[int, list[dict[str, object]]] = {}
    for _, doc in body.objects():
        index = doc.get("index")
        events.setdefault(index if isinstance(index, int) else 0, []).append(doc)
        if len(events) > MAX_CHOICES:
            raise too_large(f"more than {MAX_CHOICES} choices")
    if len(events) < expected.choices:
        raise truncated("the stream ends before all answers")
    return _answer([events[index] for index in sorted(events)], expected)


def _answer(answers: list[list[dict[str, object]]], expected: Expectation) -> Extracted:
    last = [mapping(events[-1].get("meta_info"), "meta_info") for events in answers]
    return Extracted(
        Surface.SGLANG_GENERATE,
        tuple(_choice(events, expected) for events in answers),
        input_tokens=count(last[0].get("prompt_tokens")),
        output_tokens=sum(count(one.get("completion_tokens")) for one in last),
    )


def _choice(events: list[dict[str, object]], expected: Expectation) -> Choice:
    builder, info = ChoiceBuilder(), mapping(events[-1].get("meta_info"), "meta_info")
    texts = [string(event.get("text"), "text") for event in events]
    builder.add_content(texts[-1] if _repeats(texts) else "".join(texts))
    reason = info.get("finish_reason")
    if reason is None:
        raise truncated("the body ends before a finish reason")
    builder.finish = reason.get("type") if isinstance(reason, dict) else reason
    if builder.finish == "abort":
        message = reason.get("message") if isinstance(reason, dict) else None
        raise UnusableBodyError(UnusableReason.ERROR_BODY, clean(str(message or "the server gave up"))[:300])
    rows = items(info.get("output_token_logprobs"), "logprobs")
    builder.add_logprobs([row[0] for row in rows if isinstance(row, list) and row])
    return builder.build(expected)


def _repeats(texts: list[str]) -> bool:
    """Return whether each text repeats what precedes it."""
    return texts[-1].startswith(texts[0]) and all(len(one) <= len(other) for one, other in pairwise(texts))
