"""OpenAI's chat completions and completions, which OpenAI, Azure, vLLM, llama.cpp, SGLang, Ollama and others send.

Source: platform.openai.com/docs/api-reference/chat and /completions. The references of the servers describe
``reasoning_content`` (DeepSeek, vLLM, llama.cpp) and ``reasoning`` (OpenRouter, newer vLLM).
"""

from __future__ import annotations

from scorer.scoring.answers.answer import Expectation, Extracted, Surface
from scorer.scoring.answers.body_format import Stream
from scorer.scoring.answers.choice_builder import ChoiceBuilder, ChoiceBuilders
from scorer.scoring.answers.shared_fields import model_of, usage_of
from scorer.scoring.answers.strict_json import MAX_CHOICES, items, malformed, mapping, string, truncated, unsupported

_UNREAD_CONTENT = ("image", "images", "video", "videos", "file", "files", "attachments")
_REASONING = ("reasoning_content", "reasoning", "thinking")
_CALL_KEYS = {"id", "index", "type", "status"}


def chat_document(value: object, expected: Expectation) -> Extracted:
    return _document(Surface.OPENAI_CHAT, value, expected)


def completion_document(value: object, expected: Expectation) -> Extracted:
    return _document(Surface.OPENAI_COMPLETIONS, value, expected)


def chat_stream(stream: Stream, expected: Expectation) -> Extracted:
    return _stream(Surface.OPENAI_CHAT, stream, expected)


def completion_stream(stream: Stream, expected: Expectation) -> Extracted:
    return _stream(Surface.OPENAI_COMPLETIONS, stream, expected)


def add_message(builder: ChoiceBuilder, message: dict[str, object]) -> None:
    """Add a complete message, or one delta of a streamed message, to the choice. Both have the same fields."""
    builder.add_content(message.get("content"))
    for name in _UNREAD_CONTENT:
        if message.get(name):
            raise unsupported(f"a message with {name}")
    for name in _REASONING:
        if message.get(name):
            builder.add_reasoning(message[name], name)
            break
    builder.refusal.append(string(message.get("refusal"), "refusal"))
    for raw in items(message.get("tool_calls"), "tool_calls"):
        _add_call(builder, mapping(raw, "a tool call"))
    _add_audio(builder, mapping(message.get("audio"), "audio"))
    if function := mapping(message.get("function_call"), "function_call"):  # the format before tools existed
        builder.add_call(function, 0)


def _add_call(builder: ChoiceBuilder, call: dict[str, object]) -> None:
    """Add a call or a piece of a call.

    The tool is a function, a custom tool, or a tool of the provider. In the last case, ``type`` is the tool's name.
    """
    kind = call.get("type")
    if isinstance(kind, str) and not call.keys() & {"function", "custom"} and call.keys() - _CALL_KEYS:
        arguments = {key: value for key, value in call.items() if key not in _CALL_KEYS}
        function: dict[str, object] = {"name": kind, "arguments": arguments}
    else:
        function = mapping(call.get("function") or call.get("custom"), "a tool call's function")
    builder.add_call(function, call.get("index", function.get("index")), call.get("id"))


def _add_audio(builder: ChoiceBuilder, audio: dict[str, object]) -> None:
    """Add the transcript of spoken content. The audio itself is not compared."""
    builder.add_content(audio.get("transcript"))
    if audio.get("data"):
        builder.leave_out("audio without a transcript")


def _document(surface: Surface, value: object, expected: Expectation) -> Extracted:
    doc = mapping(value, "body")
    choices = ChoiceBuilders()
    _add_choices(choices, doc)
    if not choices.builders:
        raise malformed("choices is empty")
    input_tokens, output_tokens = usage_of(doc.get("usage"))
    return Extracted(
        surface,
        choices.build(expected),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        model=model_of(doc),
    )


def _stream(surface: Surface, stream: Stream, expected: Expectation) -> Extracted:
    choices, model, input_tokens, output_tokens = ChoiceBuilders(), "", 0, 0
    for _, doc in stream.objects():
        _add_choices(choices, doc)
        model = model_of(doc) or model
        if doc.get("usage"):
            input_tokens, output_tokens = usage_of(doc["usage"])
    if not choices.finished(expected) and not (stream.done and choices.builders):
        raise truncated("the stream ends before [DONE] and before a finish_reason")
    return Extracted(
        surface,
        choices.build(expected),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        model=model,
    )


def _add_choices(choices: ChoiceBuilders, doc: dict[str, object]) -> None:
    for position, raw in enumerate(items(doc.get("choices"), "choices", MAX_CHOICES)):
        choice = mapping(raw, "a choice")
        builder = choices.at(choice.get("index"), position)
        if choice.get("finish_reason") is not None:
            builder.finish = choice["finish_reason"]
        if (delta := choice.get("delta")) or choice.get("message") is None:
            add_message(builder, mapping(delta, "a choice's delta"))
        else:
            _add_whole_message(builder, mapping(choice["message"], "a choice's message"))
        if "text" in choice:
            builder.add_content(choice["text"])
        elif not choice.keys() & {"finish_reason", "delta", "message"}:
            raise malformed("a choice has neither message nor text")
        _add_logprobs(builder, choice.get("logprobs"))


def _add_whole_message(builder: ChoiceBuilder, message: dict[str, object]) -> None:
    """Add the message of a complete body, or the whole message with which some servers end a stream.

    In a stream, the client already has the content of the deltas, so only the other fields are added.
    """
    sent = {
        "content": builder.parts,
        "audio": builder.parts,
        "refusal": any(builder.refusal),
        "tool_calls": builder.calls,
        "function_call": builder.calls,
    } | dict.fromkeys(_REASONING, builder.reasoning)
    add_message(builder, {key: value for key, value in message.items() if not sent.get(key)})


def _add_logprobs(builder: ChoiceBuilder, value: object) -> None:
    if isinstance(value, dict):
        builder.add_logprobs(items(value.get("content") or value.get("token_logprobs"), "logprobs"))
