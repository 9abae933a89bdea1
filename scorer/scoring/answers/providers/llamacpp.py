"""The native format of llama.cpp's server for ``/completion`` and ``/infill``.

Source: tools/server/README.md of github.com/ggml-org/llama.cpp. Its other paths answer in the formats of OpenAI and
Anthropic.
"""

from __future__ import annotations

from scorer.scoring.answers.answer import Expectation, Extracted, Surface
from scorer.scoring.answers.body_format import Stream
from scorer.scoring.answers.choice_builder import ChoiceBuilder
from scorer.scoring.answers.shared_fields import model_of
from scorer.scoring.answers.strict_json import count, items, mapping, truncated

_STOPPED = {"eos": "stop", "word": "stop", "limit": "length"}  # by stop_type
_STOPPED_BEFORE = (("stopped_eos", "stop"), ("stopped_word", "stop"), ("stopped_limit", "length"))  # until 2024


def is_document(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("content"), str) and isinstance(value.get("stop"), bool)


def is_event(_: str, doc: dict[str, object]) -> bool:
    return is_document(doc)


def document(value: object, expected: Expectation) -> Extracted:
    return _read([mapping(value, "body")], expected)


def stream(body: Stream, expected: Expectation) -> Extracted:
    return _read([doc for _, doc in body.objects()], expected)


def _read(docs: list[dict[str, object]], expected: Expectation) -> Extracted:
    """Build the answer from the events of a stream, or from the one document of a JSON body.

    The last event has ``"stop": true`` and the token counts.
    """
    builder = ChoiceBuilder()
    for doc in docs:
        builder.add_content(doc.get("content"))
        builder.add_logprobs(items(doc.get("completion_probabilities"), "completion_probabilities"))
        if doc.get("stop") is True:
            builder.finish = _finish(doc)
            return Extracted(
                Surface.LLAMACPP_COMPLETION,
                (builder.build(expected),),
                input_tokens=count(doc.get("tokens_evaluated")),
                output_tokens=count(doc.get("tokens_predicted")),
                model=model_of(doc),
            )
    raise truncated('the body ends before "stop": true')


def _finish(doc: dict[str, object]) -> object:
    kind = doc.get("stop_type")
    if isinstance(kind, str):
        return _STOPPED.get(kind, kind)
    return next((finish for name, finish in _STOPPED_BEFORE if doc.get(name) is True), "none")
