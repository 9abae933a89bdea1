"""Gemini's and Vertex AI's formats: generateContent and streamGenerateContent (SSE, or an array of the same objects).

Source: ai.google.dev/api/generate-content.
"""

from __future__ import annotations

from scorer.scoring.answers.answer import Expectation, Extracted, Surface
from scorer.scoring.answers.body_format import Stream, StreamItem
from scorer.scoring.answers.choice_builder import ChoiceBuilder, ChoiceBuilders
from scorer.scoring.answers.strict_json import MAX_CHOICES, clean, count, items, mapping, string, truncated, unsupported

_BLOCKED = "SAFETY"
_RUN_BY_PROVIDER = frozenset({"executableCode", "codeExecutionResult", "toolCall", "toolResponse"})
_WITHOUT_CONTENT = frozenset({"thought", "thoughtSignature", "videoMetadata", "partMetadata"})


def is_document(value: object) -> bool:
    """Return whether the value is a Gemini response or an array of Gemini responses.

    streamGenerateContent without ``alt=sse`` sends such an array.
    """
    if isinstance(value, list):
        return bool(value) and _is_response(value[0])
    return _is_response(value)


def is_event(_: str, doc: dict[str, object]) -> bool:
    return _is_response(doc)


def document(value: object, expected: Expectation) -> Extracted:
    responses = value if isinstance(value, list) else [value]
    return stream(Stream(tuple(StreamItem("", response) for response in responses)), expected)


def stream(body: Stream, expected: Expectation) -> Extracted:
    choices, usage, model = ChoiceBuilders(), {}, ""  # type: ChoiceBuilders, dict[str, object], str
    for _, doc in body.objects():
        _add(choices, doc)
        usage |= mapping(doc.get("usageMetadata"), "usageMetadata")
        model = string(doc.get("modelVersion"), "modelVersion") or model
    if not choices.builders or not choices.finished(expected):
        raise truncated("the answer ends before a finishReason")
    output_tokens = count(usage.get("candidatesTokenCount")) + count(usage.get("thoughtsTokenCount"))
    return Extracted(
        Surface.GEMINI,
        choices.build(expected),
        input_tokens=count(usage.get("promptTokenCount")),
        output_tokens=output_tokens,
        model=clean(model),
    )


def _is_response(value: object) -> bool:
    if not isinstance(value, dict) or value.keys() & {"embedding", "embeddings"}:
        return False
    candidates = value.get("candidates")
    if isinstance(candidates, list) and candidates:
        return isinstance(candidates[0], dict) and bool({"content", "finishReason"} & candidates[0].keys())
    return isinstance(value.get("promptFeedback"), dict) or isinstance(value.get("usageMetadata"), dict)


def _add(choices: ChoiceBuilders, doc: dict[str, object]) -> None:
    for position, raw in enumerate(items(doc.get("candidates"), "candidates", MAX_CHOICES)):
        candidate = mapping(raw, "a candidate")
        builder = choices.at(candidate.get("index"), position)
        content = mapping(candidate.get("content"), "a candidate's content")
        for part in items(content.get("parts"), "parts"):
            _add_part(builder, mapping(part, "a part"))
        if candidate.get("finishReason") is not None:
            builder.finish = candidate["finishReason"]
        chosen = mapping(candidate.get("logprobsResult"), "logprobsResult").get("chosenCandidates")
        builder.add_logprobs(
            [mapping(token, "a token").get("logProbability") for token in items(chosen, "chosenCandidates")]
        )
    blocked = mapping(doc.get("promptFeedback"), "promptFeedback").get("blockReason")
    if blocked is not None and not choices.builders:  # the prompt itself was refused
        builder = choices.at(0)
        builder.finish = _BLOCKED
        builder.refusal.append(f"blockReason: {string(blocked, 'blockReason')}")


def _add_part(builder: ChoiceBuilder, part: dict[str, object]) -> None:
    if part.get("thought") is True:
        builder.add_reasoning(part.get("text"))
    elif "text" in part:
        builder.add_content(part["text"])
    elif "functionCall" in part:
        _add_call(builder, mapping(part["functionCall"], "a functionCall"))
    elif part.keys() & _RUN_BY_PROVIDER:
        builder.leave_out("code that the provider ran")
    elif not part.keys() <= _WITHOUT_CONTENT:
        raise unsupported(f"a part with {clean(', '.join(sorted(part)))[:80]}")


def _add_call(builder: ChoiceBuilder, call: dict[str, object]) -> None:
    """Add a call with its ``args``, or a call whose arguments are streamed in pieces (``partialArgs``)."""
    name, arguments = call.get("name"), call.get("args")
    if name or arguments is not None:
        builder.add_call({"name": name, "arguments": arguments})
    for piece in items(call.get("partialArgs"), "partialArgs"):
        builder.calls.partial_arguments().add(mapping(piece, "a partial argument"))
