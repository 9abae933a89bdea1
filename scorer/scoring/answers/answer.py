"""One answer in no provider's words, and the typed outcomes that are not an answer.

A body becomes an :class:`Extracted` or an :class:`Unusable`, never an exception; an ``Unusable`` is never scored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Surface(StrEnum):
    """The API form a body was written in."""

    OPENAI_CHAT = "openai.chat"
    OPENAI_COMPLETIONS = "openai.completions"
    OPENAI_RESPONSES = "openai.responses"
    OPENAI_EMBEDDINGS = "openai.embeddings"
    ANTHROPIC_MESSAGES = "anthropic.messages"
    OLLAMA_CHAT = "ollama.chat"
    OLLAMA_GENERATE = "ollama.generate"
    OLLAMA_EMBED = "ollama.embed"
    TGI_GENERATE = "tgi.generate"
    COHERE_CHAT = "cohere.chat"
    COHERE_EMBED = "cohere.embed"
    COHERE_RERANK = "cohere.rerank"
    TEI_EMBED = "tei.embed"
    TEI_RERANK = "tei.rerank"
    TEI_PREDICT = "tei.predict"
    KSERVE_INFER = "kserve.infer"
    GEMINI = "gemini.generate_content"
    BEDROCK_CONVERSE = "bedrock.converse"
    CUSTOM = "custom"
    PLAIN_TEXT = "text"
    UNKNOWN = "unknown"


class FinishReason(StrEnum):
    """Why the model stopped. STOP is also the reason of answers that are not generated (vectors, rankings)."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    OTHER = "other"


class UnusableReason(StrEnum):
    """Why there is nothing to score."""

    TRUNCATED = "truncated"  # it ends before its form says it is over
    MALFORMED = "malformed"  # not what its form requires
    ERROR_BODY = "error_body"  # the server says that it failed, whatever the status
    UNSUPPORTED = "unsupported"  # a form nobody taught us
    EMPTY_BODY = "empty_body"
    TOO_LARGE = "too_large"  # over a bound, or cut by the tee's own bound


@dataclass(frozen=True, slots=True)
class Unusable:
    """No answer to score; ``detail`` is one short line for a person."""

    reason: UnusableReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """``arguments`` is the parsed JSON; None with a non-empty ``error`` when the model wrote no JSON, then see ``raw``.

    ``raw`` is the text as sent, or a canonical dump where the form carries an object; it does not take part in ``==``.
    """

    name: str
    arguments: object = None
    error: str = ""
    raw: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the ``n`` answers that were asked for.

    ``reasoning`` is what the model thought aloud in a field of its own; it is not part of ``text``.
    ``structured`` is the text parsed as JSON when the request asked for JSON, else None; ``structured_error`` says
    why the text of such a request is no JSON.
    ``logprobs`` are the natural-log probabilities of the sampled tokens, in order, where the body has them.
    """

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str = ""
    refusal: str = ""
    finish_reason: FinishReason = FinishReason.STOP
    structured: object = None
    structured_error: str = ""
    logprobs: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Extracted:
    """What one side answered. Generated answers have ``choices`` (in index order); the properties speak of the first.

    ``vectors`` are float32 values in the order of the inputs; ``ranking`` is (index of the document, score), best
    first; ``label`` is a classifier's. Token counts are 0 when the body does not tell.
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
        """Equal for two answers that say the same, whichever form, model and token count they have."""
        said = tuple((c.text, c.tool_calls, c.refusal, c.finish_reason, c.structured) for c in self.choices)
        return (said, self.vectors, self.ranking, self.label)


_NOTHING = Choice()


@dataclass(frozen=True, slots=True)
class CustomSurface:
    """An answer found by JSONPath (RFC 9535 and python-jsonpath's additions).

    ``jsonpath`` finds the answer, in a stream the piece of it that each event has; ``done`` finds something true in the
    event that ends a stream (without it a stream ends where it ends).
    """

    jsonpath: str
    done: str = ""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a request asked for. ``task`` is a guess, for ``task: auto``; ``prompt`` the last user turn's text."""

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
    inputs: int = 0
