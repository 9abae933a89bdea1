"""Detect the provider format of a body.

The baseline and the candidate may use different formats, so the format is detected from the body. The path of the
request is used only if the body matches two formats.

See ADR 0030.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scorer.scoring.answers.answer import Expectation, Extracted, Surface
from scorer.scoring.answers.body_format import Stream
from scorer.scoring.answers.providers import (
    anthropic,
    bedrock,
    cohere_chat,
    embeddings,
    gemini,
    kserve,
    llamacpp,
    ollama,
    openai_chat,
    openai_responses,
    predictions,
    rankings_and_labels,
    sglang,
    tgi,
)


@dataclass(frozen=True, slots=True)
class ProviderFormat:
    """The functions that recognise and read one provider format.

    ``is_document``: returns whether a JSON document has this format. Its second argument is the usual format for the
        path of the request.
    ``document``: builds the answer from a document in this format.
    ``is_event``: returns whether an event with this name and this data has this format.
    ``stream``: builds the answer from a stream of such events.
    """

    surface: Surface
    is_document: Callable[[object, Surface], bool]
    document: Callable[[object, Expectation], Extracted]
    is_event: Callable[[str, dict[str, object]], bool] | None = None
    stream: Callable[[Stream, Expectation], Extracted] | None = None


def detect_document(value: object, hint: Surface) -> ProviderFormat | None:
    """Return the format of a JSON document, or None if it is unknown.

    ``hint`` is the usual format for the path of the request.
    """
    return next((known for known in PROVIDER_FORMATS if known.is_document(value, hint)), None)


def detect_stream(stream: Stream) -> ProviderFormat | None:
    """Return the format of the first event in the stream whose format is known, or None if there is no such event."""
    for name, doc in stream.objects():
        for known in PROVIDER_FORMATS:
            if known.is_event is not None and known.is_event(name, doc):
                return known
    return None


def _is_choices(value: object, *keys: str) -> bool:
    """Return whether ``value`` has a list ``choices`` that is empty, or whose first item has one of ``keys``."""
    if not isinstance(value, dict) or not isinstance(value.get("choices"), list):
        return False
    choices = value["choices"]
    return not choices or (isinstance(choices[0], dict) and any(key in choices[0] for key in keys))


def _is_completion(value: object) -> bool:
    if not _is_choices(value, "text") or not isinstance(value, dict):
        return False
    return bool(value["choices"]) or value.get("object") == "text_completion"


def _is_chat(value: object) -> bool:
    """Return whether the value is a chat completion.

    A value whose list of choices is empty counts as a chat completion, because Azure's first event is such a value. A
    text completion can have an empty list too, so test for text completions first.
    """
    return _is_choices(value, "message", "delta", "finish_reason")


PROVIDER_FORMATS: tuple[ProviderFormat, ...] = (
    ProviderFormat(
        Surface.OPENAI_COMPLETIONS,
        lambda value, _: _is_completion(value),
        openai_chat.completion_document,
        lambda _, doc: _is_completion(doc),
        openai_chat.completion_stream,
    ),
    ProviderFormat(
        Surface.OPENAI_CHAT,
        lambda value, _: _is_chat(value),
        openai_chat.chat_document,
        lambda _, doc: _is_chat(doc),
        openai_chat.chat_stream,
    ),
    ProviderFormat(
        Surface.OPENAI_RESPONSES,
        lambda value, _: openai_responses.is_document(value),
        openai_responses.document,
        openai_responses.is_event,
        openai_responses.stream,
    ),
    ProviderFormat(
        Surface.ANTHROPIC_MESSAGES,
        lambda value, _: anthropic.is_document(value),
        anthropic.document,
        anthropic.is_event,
        anthropic.stream,
    ),
    ProviderFormat(
        Surface.OLLAMA_CHAT,
        lambda value, _: ollama.is_chat(value),
        ollama.chat_document,
        lambda _, doc: ollama.is_chat(doc),
        ollama.chat_stream,
    ),
    ProviderFormat(
        Surface.OLLAMA_GENERATE,
        lambda value, _: ollama.is_generate(value),
        ollama.generate_document,
        lambda _, doc: ollama.is_generate(doc),
        ollama.generate_stream,
    ),
    ProviderFormat(
        Surface.TGI_GENERATE, lambda value, _: tgi.is_document(value), tgi.document, tgi.is_event, tgi.stream
    ),
    ProviderFormat(
        Surface.SGLANG_GENERATE,
        lambda value, _: sglang.is_document(value),
        sglang.document,
        sglang.is_event,
        sglang.stream,
    ),
    ProviderFormat(
        Surface.LLAMACPP_COMPLETION,
        lambda value, _: llamacpp.is_document(value),
        llamacpp.document,
        llamacpp.is_event,
        llamacpp.stream,
    ),
    ProviderFormat(
        Surface.COHERE_CHAT,
        lambda value, _: cohere_chat.is_document(value),
        cohere_chat.document,
        cohere_chat.is_event,
        cohere_chat.stream,
    ),
    ProviderFormat(
        Surface.KSERVE_INFER,
        lambda value, _: kserve.is_document(value),
        kserve.document,
        kserve.is_event,
        kserve.stream,
    ),
    ProviderFormat(
        Surface.GEMINI,
        lambda value, _: gemini.is_document(value),
        gemini.document,
        gemini.is_event,
        gemini.stream,
    ),
    ProviderFormat(
        Surface.BEDROCK_CONVERSE,
        lambda value, _: bedrock.is_document(value),
        bedrock.document,
        bedrock.is_event,
        bedrock.stream,
    ),
    ProviderFormat(Surface.OPENAI_EMBEDDINGS, embeddings.is_openai, embeddings.openai),
    ProviderFormat(Surface.OLLAMA_EMBED, embeddings.is_ollama, embeddings.ollama),
    ProviderFormat(Surface.COHERE_EMBED, embeddings.is_cohere, embeddings.cohere),
    ProviderFormat(Surface.TEI_EMBED, embeddings.is_tei, embeddings.tei),
    ProviderFormat(Surface.COHERE_RERANK, rankings_and_labels.is_cohere, rankings_and_labels.cohere),
    ProviderFormat(Surface.TEI_RERANK, rankings_and_labels.is_tei, rankings_and_labels.tei),
    ProviderFormat(Surface.TEI_PREDICT, rankings_and_labels.is_predict, rankings_and_labels.predict),
    ProviderFormat(Surface.VLLM_SCORE, rankings_and_labels.is_score, rankings_and_labels.score),
    ProviderFormat(Surface.VLLM_CLASSIFY, rankings_and_labels.is_classes, rankings_and_labels.classes),
    ProviderFormat(Surface.TFSERVING_PREDICT, predictions.is_document, predictions.document),
)
