"""Build a choice (one generated answer) from its pieces.

JSON bodies and streams are read by the same builders, so that the same answer in either form gives equal choices. See
ADR 0031.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from scorer.scoring.answers.answer import Choice, Expectation, FinishReason, UnusableReason
from scorer.scoring.answers.strict_json import (
    MAX_CHOICES,
    UnusableBodyError,
    clean,
    items,
    mapping,
    number,
    string,
    too_large,
    try_json,
    unsupported,
)
from scorer.scoring.answers.tool_call_builder import ToolCallBuilders

_FINISH = {
    FinishReason.STOP: "stop end_turn stop_sequence eos eos_token end complete completed done finished",
    FinishReason.LENGTH: "length max_tokens max_output_tokens max_new_tokens model_context_window_exceeded limit",
    FinishReason.TOOL_CALLS: "tool_calls tool_use tool_call function_call",
    FinishReason.CONTENT_FILTER: "content_filter refusal safety error_toxic content_filtered recitation"
    " blocklist prohibited_content spii guardrail_intervened model_armor image_safety image_prohibited_content"
    " image_recitation",
}
_TEXT_PARTS = ("text", "output_text")
_PARTS_WITHOUT_CONTENT = ("reference", "citation", "annotation", "redacted_thinking")
_FINISH_BY_WORD = {word: reason for reason, words in _FINISH.items() for word in words.split()}


def finish_reason(word: object) -> FinishReason:
    """Return the FinishReason that corresponds to a provider's word for it, or OTHER if the word is unknown."""
    return _FINISH_BY_WORD.get(word.lower(), FinishReason.OTHER) if isinstance(word, str) else FinishReason.OTHER


@dataclass(slots=True)
class ChoiceBuilder:
    """Collects the pieces of one choice. ``build`` returns the :class:`Choice`."""

    parts: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    reasoning_field: str = ""
    refusal: list[str] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish: object = None
    calls: ToolCallBuilders = field(default_factory=ToolCallBuilders)
    left_out: str = ""  # a kind of content that was left out, because the text repeats what it contains

    @property
    def finished(self) -> bool:
        return self.finish is not None

    def add_content(self, content: object) -> None:
        """Add a string or a list of content parts.

        Raises UnusableBodyError (*unsupported*) for a part that has neither text, reasoning nor a refusal, such as an
        image: an answer with an unread part must not be compared.
        """
        if isinstance(content, list):
            for part in items(content, "content"):
                self._add_part(part)
        elif text := string(content, "content"):
            self.parts.append(text)

    def add_call(self, function: dict[str, object], index: object = None, call_id: object = None) -> None:
        """Add a new tool call, or add a piece to the call that has this index or this id.

        ``function``: ``name``, and either ``arguments`` (JSON text, or an object) or ``input`` (a custom tool's text).
        """
        self.calls.add(function, index, call_id)

    def leave_out(self, kind: str) -> None:
        """Record that the answer has content of this kind, which is not read because the text repeats its result.

        If the answer has nothing else, ``build`` raises UnusableBodyError (*unsupported*).
        """
        self.left_out = self.left_out or clean(kind[:80])

    def add_reasoning(self, thought: object, name: str = "") -> None:
        """Add reasoning: a string or a list of parts with text. Other values are ignored.

        ``name``: the name of the field that has it, if the API has several such fields.
        """
        if text := _flat(thought):
            self.reasoning.append(text)
            self.reasoning_field = self.reasoning_field or name

    def add_logprobs(self, values: list[object]) -> None:
        """Add natural-log probabilities: numbers, or objects with ``logprob``. Null (for a first token) is skipped."""
        for value in values:
            found = value.get("logprob") if isinstance(value, dict) else value
            if found is not None:
                self.logprobs.append(number(found, "a logprob"))

    def build(self, expected: Expectation) -> Choice:
        if isinstance(self.finish, str) and self.finish.lower() == "error":
            raise UnusableBodyError(UnusableReason.ERROR_BODY, "the finish reason is an error")
        calls = self.calls.build()
        joined = clean("".join(self.parts))
        if self.left_out and not (joined or calls or any(self.refusal)):
            raise unsupported(f"the answer has nothing but {self.left_out}")
        reason = finish_reason(self.finish)
        # Ollama reports "stop" after tool calls, and so does OpenAI if the request named the tool.
        if calls and reason in (FinishReason.STOP, FinishReason.OTHER):
            reason = FinishReason.TOOL_CALLS
        structured, error = None, ""
        if expected.json_mode and (joined or not calls):
            structured, error = try_json(joined, "the text")
        return Choice(
            text=joined,
            tool_calls=calls,
            reasoning=clean("".join(self.reasoning)),
            refusal=clean("".join(self.refusal)),
            finish_reason=reason,
            structured=structured,
            structured_error=error,
            logprobs=tuple(self.logprobs),
            reasoning_field=self.reasoning_field,
        )

    def _add_part(self, part: object) -> None:
        if isinstance(part, str):
            self.parts.append(part)
            return
        fields = mapping(part, "a content part")
        kind = fields.get("type")
        if kind in ("thinking", "reasoning") or (kind is None and "thinking" in fields):
            self.add_reasoning(fields.get("thinking") or fields.get("text"))
        elif kind == "refusal":
            self.refusal.append(string(fields.get("refusal"), "refusal"))
        elif "text" in fields or kind in _TEXT_PARTS:
            self.parts.append(string(fields.get("text"), "a content part's text"))
        elif kind not in _PARTS_WITHOUT_CONTENT:
            raise unsupported(f"a content part of type {str(kind)[:80]}")


@dataclass(slots=True)
class ChoiceBuilders:
    """The builders of all choices of a body, by index."""

    builders: dict[int, ChoiceBuilder] = field(default_factory=dict)

    def at(self, index: object, default: int = 0) -> ChoiceBuilder:
        key = index if isinstance(index, int) and not isinstance(index, bool) else default
        if key not in self.builders and len(self.builders) >= MAX_CHOICES:
            raise too_large(f"more than {MAX_CHOICES} choices")
        return self.builders.setdefault(key, ChoiceBuilder())

    def finished(self, expected: Expectation) -> bool:
        """Return whether all requested choices have arrived and each has a finish reason."""
        return len(self.builders) >= expected.choices and all(b.finished for b in self.builders.values())

    def build(self, expected: Expectation) -> tuple[Choice, ...]:
        return tuple(builder.build(expected) for _, builder in sorted(self.builders.items()))


def _flat(value: object) -> str:
    """Return the text of ``value``, which is a string or a list of parts with text. Other values give ""."""
    if isinstance(value, list):
        return "".join(_flat(item.get("text") if isinstance(item, dict) else item) for item in value)
    return value if isinstance(value, str) else ""
