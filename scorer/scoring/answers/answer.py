"""The types of an extracted answer, independent of the provider.

A body with an answer becomes an :class:`Extracted`. Any other body becomes an :class:`Unusable`, which is never scored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Surface(StrEnum):
    """The API format of a body."""

    OPENAI_CHAT = "openai.chat"
    OPENAI_COMPLETIONS = "openai.completions"
    OPENAI_RESPONSES = "openai.responses"
    OPENAI_EMBEDDINGS = "openai.embeddings"
    ANTHROPIC_MESSAGES = "anthropic.messages"
    OLLAMA_CHAT = "ollama.chat"
    OLLAMA_GENERATE = "ollama.generate"
    OLLAMA_EMBED = "ollama.embed"
    TGI_GENERATE = "tgi.generate"
    SGLANG_GENERATE = "sglang.generate"
    LLAMACPP_COMPLETION = "llamacpp.completion"
    COHERE_CHAT = "cohere.chat"
    COHERE_EMBED = "cohere.embed"
    COHERE_RERANK = "cohere.rerank"
    TEI_EMBED = "tei.embed"
    TEI_RERANK = "tei.rerank"
    TEI_PREDICT = "tei.predict"
    VLLM_SCORE = "vllm.score"
    VLLM_CLASSIFY = "vllm.classify"
    TFSERVING_PREDICT = "tfserving.predict"
    KSERVE_INFER = "kserve.infer"
    GEMINI = "gemini.generate_content"
    BEDROCK_CONVERSE = "bedrock.converse"
    CUSTOM = "custom"
    PLAIN_TEXT = "text"
    UNKNOWN = "unknown"


class FinishReason(StrEnum):
    """The reason why the model stopped. Answers that are not generated (vectors, rankings) have STOP."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    OTHER = "other"


class UnusableReason(StrEnum):
    """The reason why a body has no answer to score."""

    TRUNCATED = "truncated"  # the body ends before the end that its format requires
    MALFORMED = "malformed"  # the body does not follow its format
    ERROR_BODY = "error_body"  # the body is an error message, or the status or the finish reason is an error
    UNSUPPORTED = "unsupported"  # the format of the body is unknown
    EMPTY_BODY = "empty_body"
    TOO_LARGE = "too_large"  # the body exceeds a limit, or the capture cut it


@dataclass(frozen=True, slots=True)
class Unusable:
    """The result for a body that has no answer to score: the reason, and a ``detail`` of one short line for people.

    ``unknown_format``: whether the body is JSON of no known API, or XML, an image or the like.
    """

    reason: UnusableReason
    detail: str = ""
    unknown_format: bool = False


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool by the model.

    ``arguments``: the parsed JSON of the arguments, or None if the model wrote invalid JSON.
    ``error``: the reason why the JSON is invalid, or "" if it is valid.
    ``raw``: the text of the arguments as sent, or their canonical JSON if the provider format sends an object. ``==``
        ignores this field.
    """

    name: str
    arguments: object = None
    error: str = ""
    raw: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the ``n`` choices (generated answers) that the request asked for.

    ``reasoning``: the model's reasoning, if the body has it in a separate field; it is not part of ``text``.
    ``reasoning_field``: the name of this field if the API has several, such as reasoning_content. ``==`` ignores it.
    ``structured``: the text parsed as JSON if the request asked for JSON, otherwise None.
    ``structured_error``: why the text is invalid JSON; "" if it is valid, or if the request did not ask for JSON.
    ``logprobs``: the natural logarithm of the probability of each generated token, in order; empty if the body has
        none.
    """

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str = ""
    refusal: str = ""
    finish_reason: FinishReason = FinishReason.STOP
    structured: object = None
    structured_error: str = ""
    logprobs: tuple[float, ...] = ()
    reasoning_field: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Extracted:
    """The answer of one side.

    ``choices``: the generated answers, in index order. Most properties of this class describe the first choice.
    ``vectors``: one vector of float32 values for each input of the request, in order.
    ``ranking``: (index of the document, score) for each ranked document, the best first.
    ``label``: the label from a classifier.
    ``input_tokens``, ``output_tokens``: the token counts that the body states, or 0.
    """

    surface: Surface
    choices: tuple[Choice, ...] = ()
    vectors: tuple[tuple[float, ...], ...] = ()
    ranking: tuple[tuple[int, float], ...] = ()
    label: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    model: str = ""

    @property
    def first(self) -> Choice:
        return self.choices[0] if self.choices else _NOTHING

    @property
    def text(self) -> str:
        return self.first.text

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return self.first.tool_calls

    @property
    def reasoning(self) -> str:
        return self.first.reasoning

    @property
    def refusal(self) -> str:
        return self.first.refusal

    @property
    def finish_reason(self) -> FinishReason:
        return self.first.finish_reason

    @property
    def structured(self) -> object:
        return self.first.structured

    @property
    def structured_error(self) -> str:
        return self.first.structured_error

    @property
    def logprobs(self) -> tuple[float, ...]:
        return self.first.logprobs

    @property
    def content(self) -> tuple[object, ...]:
        """The parts of the answer that are compared for equality.

        These are the text, tool calls, refusal, finish reason and structured data of every choice, and the vectors, the
        ranking and the label.
        """
        choices = tuple((c.text, c.tool_calls, c.refusal, c.finish_reason, c.structured) for c in self.choices)
        return (choices, self.vectors, self.ranking, self.label)


_NOTHING = Choice()


@dataclass(frozen=True, slots=True)
class CustomSurface:
    """A custom format in which a JSONPath leads to the answer (RFC 9535 with python-jsonpath's extensions).

    ``jsonpath``: the path to the answer in a JSON body, or to the piece of the answer in each event of a stream.
    ``done``: the path to a value that is true in the last event of a stream. Without ``done``, every stream counts as
        complete.
    """

    jsonpath: str
    done: str = ""


@dataclass(frozen=True, slots=True)
class Expectation:
    """The parts of a request that decide how its answer is read: its options, its prompt, and the API format."""

    surface: Surface = Surface.UNKNOWN
    task: str = "chat"
    stream: bool = False
    json_mode: bool = False
    schema: object = None
    tools: tuple[str, ...] = ()
    max_tokens: int = 0
    choices: int = 1
    temperature: float | None = None
    model: str = ""
    prompt: str = ""
    instructions: str = ""
    functions: Mapping[str, object] = field(default_factory=dict)
