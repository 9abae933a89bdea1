"""Assemble the output of OpenAI's responses format from the events of a stream.

Source: platform.openai.com/docs/api-reference/responses-streaming. An event belongs to the item with its
``output_index``, else to the item with its ``item_id``, else to the last item. Within an item, it belongs to the part
with its ``content_index``. The text of a ``*.done`` event replaces the text from the deltas.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from scorer.scoring.answers.strict_json import MAX_ITEMS, count, mapping, string, too_large

# The kind of item, the field of the event that is a piece of its text, and the field of the item that gets the text.
_ARGUMENTS = {
    "response.function_call_arguments": ("function_call", "arguments"),
    "response.custom_tool_call_input": ("custom_tool_call", "input"),
    "response.mcp_call_arguments": ("mcp_call", "arguments"),
}
_PARTS = {
    "response.output_text": ("message", "output_text", "text"),
    "response.refusal": ("message", "refusal", "refusal"),
    "response.reasoning_text": ("reasoning", "reasoning_text", "text"),
    "response.reasoning_summary_text": ("reasoning", "summary_text", "text"),
}


@dataclass(slots=True)
class _Text:
    """A text that is streamed in pieces. If a complete text is sent, it replaces the pieces."""

    kind: str
    name: str
    pieces: list[str] = field(default_factory=list)
    whole: str = ""

    @property
    def value(self) -> str:
        return self.whole or "".join(self.pieces)


@dataclass(slots=True)
class _Item:
    fields: dict[str, object]
    parts: dict[tuple[int, int], _Text | dict[str, object]] = field(default_factory=dict)
    arguments: _Text | None = None
    has_id: bool = False

    def build(self) -> dict[str, object]:
        """Return the item from its own event, with missing fields filled in from the other events."""
        built = dict(self.fields)
        if self.arguments is not None and not built.get(self.arguments.name):
            built[self.arguments.name] = self.arguments.value
        if self.parts and not built.get("content"):
            built["content"] = [
                {"type": part.kind, part.name: part.value} if isinstance(part, _Text) else part
                for _, part in sorted(self.parts.items(), key=lambda pair: pair[0])
            ]
        return built


@dataclass(slots=True)
class StreamedOutput:
    """The output items that the events of a stream contain. ``items`` returns them in the order of their index."""

    _items: dict[int, _Item] = field(default_factory=dict)  # by index; without one, by a negative number
    _by_id: dict[str | None, int] = field(default_factory=dict)
    _last: int = 0

    def add(self, kind: str, event: dict[str, object]) -> None:
        """Add the content of an event. Events of other kinds are ignored."""
        stem, _, ending = kind.rpartition(".")
        if stem == "response.output_item":
            self._add_item(event)
        elif stem == "response.content_part" and ending == "done":
            item = self._item(event, "message")
            item.parts[_part_key(event)] = mapping(event.get("part"), "part")
        elif stem in _ARGUMENTS:
            of, name = _ARGUMENTS[stem]
            item = self._item(event, of)
            item.arguments = item.arguments or _Text("", name)
            _append(item.arguments, ending, event, name)
        elif stem in _PARTS:
            of, part_kind, name = _PARTS[stem]
            item = self._item(event, of)
            part = item.parts.setdefault(_part_key(event), _Text(part_kind, name))
            if isinstance(part, _Text):
                _append(part, ending, event, name)

    def items(self) -> list[object]:
        by_index = sorted(self._items.items(), key=lambda pair: pair[0] if pair[0] >= 0 else MAX_ITEMS - pair[0])
        return [item.build() for _, item in by_index]

    def _add_item(self, event: dict[str, object]) -> None:
        fields = mapping(event.get("item"), "item")
        self._item({"item_id": fields.get("id")} | event, str(fields.get("type"))).fields = fields

    def _item(self, event: dict[str, object], kind: str) -> _Item:
        """Return the item to which an event belongs. A new item has the given kind."""
        index, item_id = event.get("output_index"), event.get("item_id")
        item_id = item_id if isinstance(item_id, str) else None
        key = index if isinstance(index, int) else self._key_of(item_id, kind)
        if key not in self._items:
            if len(self._items) >= MAX_ITEMS:
                raise too_large(f"more than {MAX_ITEMS} output items")
            self._items[key] = _Item({"type": kind})
        if item_id is not None:
            self._by_id[item_id] = key
            self._items[key].has_id = True
        self._last = key
        return self._items[key]

    def _key_of(self, item_id: str | None, kind: str) -> int:
        """Return the key of the item to which an event without ``output_index`` belongs.

        The event belongs to the item with this id. If there is no such item, it belongs to the last item, if that item
        has this kind and no different id. Otherwise, the event begins a new item, whose key is negative.
        """
        if item_id in self._by_id:
            return self._by_id[item_id]
        last = self._items.get(self._last)
        if last is not None and last.fields.get("type") == kind and (item_id is None or not last.has_id):
            return self._last
        return -len(self._items) - 1


def _part_key(event: dict[str, object]) -> tuple[int, int]:
    return count(event.get("content_index")), count(event.get("summary_index"))


def _append(text: _Text, ending: str, event: dict[str, object], name: str) -> None:
    if ending == "delta":
        text.pieces.append(string(event.get("delta"), "delta"))
    elif ending == "done":
        text.whole = string(event.get(name), name)
