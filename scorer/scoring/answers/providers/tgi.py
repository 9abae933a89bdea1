"""The formats of TGI (Text Generation Inference) for ``/generate``, ``/generate_stream`` and ``/``.

Source: huggingface.github.io/text-generation-inference.
"""

from __future__ import annotations

from scorer.scoring.answers.answer import Expectation, Extracted, Surface
from scorer.scoring.answers.body_format import Stream
from scorer.scoring.answers.choice_builder import ChoiceBuilder
from scorer.scoring.answers.strict_json import count, items, malformed, mapping, string, truncated


def is_document(value: object) -> bool:
    """Return whether the value is TGI's response to ``/generate`` (an object) or to ``/`` (a list with one object)."""
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, dict) and "generated_text" in first


def is_event(_: str, doc: dict[str, object]) -> bool:
    return isinstance(doc.get("token"), dict) or "generated_text" in doc


def document(value: object, expected: Expectation) -> Extracted:
    docs = value if isinstance(value, list) else [value]
    doc = mapping(docs[0], "body")
    if not isinstance(doc.get("generated_text"), str):
        raise malformed("generated_text is not a string")
    details = mapping(doc.get("details"), "details")
    builder = ChoiceBuilder()
    builder.add_content(doc["generated_text"])
    builder.add_logprobs(items(details.get("tokens"), "tokens"))
    return _answer(builder, details, expected)


def stream(body: Stream, expected: Expectation) -> Extracted:
    """Read a TGI stream. Its last event repeats the whole text, so a stream without that event is truncated."""
    builder = ChoiceBuilder()
    for _, doc in body.objects():
        token = mapping(doc.get("token"), "token")
        if token.get("logprob") is not None:
            builder.add_logprobs([token])
        if doc.get("generated_text") is not None:
            builder.add_content(string(doc["generated_text"], "generated_text"))
            return _answer(builder, mapping(doc.get("details"), "details"), expected)
    raise truncated("the stream ends before generated_text")


def _answer(builder: ChoiceBuilder, details: dict[str, object], expected: Expectation) -> Extracted:
    """Build the answer. If ``details`` has no finish reason, the finish reason is OTHER."""
    builder.finish = details.get("finish_reason")
    return Extracted(
        Surface.TGI_GENERATE,
        (builder.build(expected),),
        input_tokens=count(details.get("input_length")) or len(items(details.get("prefill"), "prefill")),
        output_tokens=count(details.get("generated_tokens")),
    )
