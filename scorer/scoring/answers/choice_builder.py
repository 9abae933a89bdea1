"""Build a choice (one generated answer) from its pieces.

JSON bodies and streams are read by the same builders, so that the same answer in either form gives equal choices. See
ADR 0031.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from scorer.scoring.answers.answer import Choice, Expectation, FinishReason, ToolCall, UnusableReason
from scorer.scoring.answers.strict_json import (
    MAX_CHOICES,
    MAX_NAME,
    MAX_TOOL_CALLS,
    UnusableBodyError,
    clean,
    clean_value,
    dump,
    items,
    mapping,
    number,
    string,
    too_large,
    try_json,
)

_FINISH = {
    FinishReason.STOP: "stop end_turn stop_sequence eos eos_token end complete completed done finished",
    FinishReason.LENGTH: "length max_tokens max_output_tokens max_new_tokens model_context_window_exceeded limit",
    FinishReason.TOOL_CALLS: "tool_calls tool_use tool_call function_call",
    FinishReason.CONTENT_FILTER: "content_filter refusal safety error_toxic content_filtered recitation"
    " blocklist prohibited_content spii guardrail_intervened image_safety",
}
_FINISH_BY_WORD = {word: reason for reason, words in _FINISH.items() for word in words.split()}


def finish_reason(word: object) -> FinishReason:
    """Return the FinishReason that corresponds to a provider's word for it, or OTHER if the word is unknown."""
    return _FINISH_BY_WORD.get(word.lower(), FinishReason.OTHER) if isinstance(word, str) else FinishReason.OTHER


@dataclass(slots=True)
class _CallBuilder:
    order: int
    call_id: object = None
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    value: object = None

    def add(self, function: dict[str, object]) -> None:
        name = clean(string(function.get("name"), "a tool call's name"))
        if name != self.name:  # some servers repeat the whole name in every delta
            self.name += name
            if len(self.name) > MAX_NAME:
                raise too_large(f"a tool's name of more than {MAX_NAME} characters")
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            self.pieces.append(arguments)
        elif arguments is not None:
            self.value = clean_value(mapping(arguments, "a tool call's arguments"))

    def build(self) -> ToolCall:
        raw = clean("".join(self.pieces))
        if self.value is not None:
            return ToolCall(self.name, self.value, raw=dump(self.value))
        if not raw.strip():  # the tool has no parameters
            return ToolCall(self.name, {}, raw=raw)
        value, error = try_json(raw, "the arguments")
        return ToolCall(self.name, value, error, raw)


@dataclass(slots=True)
class ChoiceBuilder:
    """Collects the pieces of one choice. ``build`` returns the :class:`Choice`."""

    parts: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish: object = None
    _calls: list[_CallBuilder] = field(default_factory=list)
    _by_key: dict[int | str, _CallBuilder] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        return self.finish is not None

    def add_content(self, content: object) -> None:
        """Add a string or a list of content parts. Parts without text, reasoning or a refusal are ignored."""
        if isinstance(content, list):
            for part in items(content, "content"):
                self._add_part(part)
        elif text := string(content, "content"):
            self.parts.append(text)

    def add_call(self, function: dict[str, object], index: object = None, call_id: object = None) -> None:
        """Add a new tool call, or add a piece to the call that has this index or this id.

        If both are missing, a ``function`` with a name starts a new call, and a ``function`` without a name is a piece
        of the last call.
        """
        self._call(index, call_id, named=bool(function.get("name"))).add(function)

    def has_call(self, index: object) -> bool:
        return isinstance(index, int) and index in self._by_key

    def add_reasoning(self, thought: object) -> None:
        """Add reasoning: a string or a list of parts with text. Other values are ignored."""
        if text := _flat(thought):
            self.reasoning.append(text)

    def add_logprobs(self, values: list[object]) -> None:
        """Add natural-log probabilities: numbers, or objects with ``logprob``. Null (for a first token) is skipped."""
        for value in values:
            found = value.get("logprob") if isinstance(value, dict) else value
            if found is not None:
                self.logprobs.append(number(found, "a logprob"))

    def build(self, expected: Expectation) -> Choice:
        if isinstance(self.finish, str) and self.finish.lower() == "error":
            raise UnusableBodyError(UnusableReason.ERROR_BODY, "the finish reason is an error")
        calls = tuple(call.build() for call in sorted(self._calls, key=lambda call: call.order))
        joined = clean("".join(self.parts))
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
        )

    def _add_part(self, part: object) -> None:
        if isinstance(part, str):
            self.parts.append(part)
            return
        fields = mapping(part, "a content part")
        kind = fields.get("type")
        if kind in ("thinking", "reasoning"):
            self.add_reasoning(fields.get("thinking") or fields.get("text"))
        elif kind == "refusal":
            self.refusal.append(string(fields.get("refusal"), "refusal"))
        else:
            self.parts.append(string(fields.get("text"), "a content part's text"))

    def _call(self, index: object, call_id: object, *, named: bool) -> _CallBuilder:
        key = index if isinstance(index, int) else call_id if isinstance(call_id, str) and call_id else None
        known = self._by_key.get(key) if key is not None else None
        if known is not None and call_id and known.call_id and call_id != known.call_id:
            known = None  # Gemini gives every call of an answer index 0
        if key is None and self._calls and not named:
            known = self._calls[-1]
        if known is None:
            if len(self._calls) >= MAX_TOOL_CALLS:
                raise too_large(f"more than {MAX_TOOL_CALLS} tool calls")
            known = _CallBuilder(index if isinstance(index, int) else len(self._calls), call_id)
            self._calls.append(known)
        if key is not None:
            self._by_key[key] = known
        return known


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
