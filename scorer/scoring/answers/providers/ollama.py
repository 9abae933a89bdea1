"""Ollama's chat and generate formats, as JSON and NDJSON. Source: github.com/ollama/ollama/blob/main/docs/api.md."""

from __future__ import annotations

from collections.abc import Callable

from scorer.scoring.answers.answer import Expectation, Extracted, Surface
from scorer.scoring.answers.body_format import Stream
from scorer.scoring.answers.choice_builder import ChoiceBuilder
from scorer.scoring.answers.providers.openai_chat import add_message
from scorer.scoring.answers.shared_fields import model_of
from scorer.scoring.answers.strict_json import count, items, mapping, truncated, unsupported


def is_chat(value: object) -> bool:
    return isinstance(value, dict) and "done" in value and isinstance(value.get("message"), dict)


def is_generate(value: object) -> bool:
    return isinstance(value, dict) and "done" in value and isinstance(value.get("response"), str)


def chat_document(value: object, expected: Expectation) -> Extracted:
    return _read([mapping(value, "body")], Surface.OLLAMA_CHAT, _add_chat, expected)


def generate_document(value: object, expected: Expectation) -> Extracted:
    return _read([mapping(value, "body")], Surface.OLLAMA_GENERATE, _add_generated, expected)


def chat_stream(body: Stream, expected: Expectation) -> Extracted:
    return _read([doc for _, doc in body.objects()], Surface.OLLAMA_CHAT, _add_chat, expected)


def generate_stream(body: Stream, expected: Expectation) -> Extracted:
    return _read([doc for _, doc in body.objects()], Surface.OLLAMA_GENERATE, _add_generated, expected)


def _read(
    docs: list[dict[str, object]],
    surface: Surface,
    add: Callable[[ChoiceBuilder, dict[str, object]], None],
    expected: Expectation,
) -> Extracted:
    """Build the answer from the documents of a stream, or from the one document of a JSON body.

    The last document has ``"done": true``.
    """
    builder = ChoiceBuilder()
    for doc in docs:
        add(builder, doc)
        builder.add_logprobs(items(doc.get("logprobs"), "logprobs"))
        if doc.get("done") is True:
            builder.finish = doc.get("done_reason") or "stop"  # servers before 0.1.42 gave no reason
            return Extracted(
                surface,
                (builder.build(expected),),
                input_tokens=count(doc.get("prompt_eval_count")),
                output_tokens=count(doc.get("eval_count")),
                model=model_of(doc),
            )
    raise truncated('the body ends before "done": true')


def _add_chat(builder: ChoiceBuilder, doc: dict[str, object]) -> None:
    add_message(builder, mapping(doc.get("message"), "message"))


def _add_generated(builder: ChoiceBuilder, doc: dict[str, object]) -> None:
    if doc.get("image") or doc.get("images"):
        raise unsupported("a generated image")
    builder.add_content(doc.get("response"))
    builder.add_reasoning(doc.get("thinking"))
