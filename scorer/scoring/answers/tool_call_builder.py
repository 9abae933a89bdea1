"""Build the tool calls of a choice from their pieces, as servers stream them."""

from __future__ import annotations

from dataclasses import dataclass, field

from scorer.scoring.answers.answer import ToolCall
from scorer.scoring.answers.gemini_partial_arguments import PartialArguments
from scorer.scoring.answers.strict_json import (
    MAX_NAME,
    MAX_TOOL_CALLS,
    clean,
    clean_value,
    dump,
    malformed,
    mapping,
    string,
    too_large,
    try_json,
)

_MAX_CHECKS = 8  # of whether the arguments of a call are complete: each check parses them


@dataclass(slots=True)
class _CallBuilder:
    order: int
    call_id: object = None
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    value: object = None
    partial: PartialArguments | None = None
    checks: int = 0

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
        if (text := function.get("input")) is not None:
            self.text.append(string(text, "a tool call's input"))

    def half_sent(self, name: object) -> bool:
        """Return whether ``name`` is this call's name and the call's arguments are incomplete.

        If so, a piece with this name continues the call.
        """
        if name != self.name or not self.pieces or self.value is not None or self.checks >= _MAX_CHECKS:
            return False
        self.checks += 1
        joined = "".join(self.pieces)
        return bool(joined.strip()) and bool(try_json(joined, "the arguments")[1])

    def build(self) -> ToolCall:
        if self.text:
            value: object = {"input": clean("".join(self.text))}
            return ToolCall(self.name, value, raw=dump(value))
        if self.partial is not None:
            self.value = clean_value(self.partial.build())
        raw = clean("".join(self.pieces))
        if self.value is not None:
            return ToolCall(self.name, self.value, raw=dump(self.value))
        if not raw.strip():  # the tool has no parameters
            return ToolCall(self.name, {}, raw=raw)
        value, error = try_json(raw, "the arguments")
        return ToolCall(self.name, value, error, raw)


@dataclass(slots=True)
class ToolCallBuilders:
    """The tool calls of one choice.

    A piece belongs to the call with its index. A piece without an index belongs to the call with its id. There are two
    exceptions:

    - Some servers give every delta of one call a different id. So a piece belongs to the last call if it has neither
      an index nor a name, and its id is missing or unknown.
    - Gemini gives every call the index 0. So a piece with a name begins a new call if its id differs from the id of
      the call with its index. But the piece still belongs to that call if it repeats the call's name while the call's
      arguments are incomplete.
    """

    _calls: list[_CallBuilder] = field(default_factory=list)
    _by_key: dict[int | str, _CallBuilder] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self._calls)

    def has(self, index: object) -> bool:
        return isinstance(index, int) and index in self._by_key

    def add(self, function: dict[str, object], index: object, call_id: object) -> None:
        key = index if isinstance(index, int) else call_id if isinstance(call_id, str) and call_id else None
        call = self._known(key, call_id, function.get("name"))
        if call is None:
            if len(self._calls) >= MAX_TOOL_CALLS:
                raise too_large(f"more than {MAX_TOOL_CALLS} tool calls")
            call = _CallBuilder(index if isinstance(index, int) else len(self._calls), call_id)
            self._calls.append(call)
        if key is not None:
            self._by_key[key] = call
        call.call_id = call.call_id or call_id
        call.add(function)

    def partial_arguments(self) -> PartialArguments:
        """Return the arguments of the last call, to which pieces with a path can be added."""
        if not self._calls:
            raise malformed("partial arguments before a call")
        call = self._calls[-1]
        call.partial = call.partial or PartialArguments()
        return call.partial

    def build(self) -> tuple[ToolCall, ...]:
        return tuple(call.build() for call in sorted(self._calls, key=lambda call: call.order))

    def _known(self, key: int | str | None, call_id: object, name: object) -> _CallBuilder | None:
        """Return the call to which a piece belongs, or None if the piece begins a call."""
        known = self._by_key.get(key) if key is not None else None
        if known is None:
            may_be_last = not isinstance(key, int) and not name
            return self._calls[-1] if may_be_last and self._calls else None
        other_id = bool(call_id and known.call_id and call_id != known.call_id)
        return None if other_id and name and not known.half_sent(name) else known
