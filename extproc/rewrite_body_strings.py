r"""Rewrites the strings inside a body of JSON values, of events or of plain text, and keeps the body valid.

An example shows why a pattern cannot be applied to the raw bytes. A pattern for e-mail addresses would treat the ``n``
of ``\n`` as a letter of the address that follows, it could leave a broken escape, and it would miss an address that a
stream delivers in pieces such as ``jo``, ``hn@exa``, ``mple.com``. So the JSON in a body is parsed, and the strings
with the same path in several values (example: ``choices/0/delta/content``) are joined and rewritten as one text. If the
text changes, the new text replaces the first of the strings, and the other strings become empty.

The content type is ignored, because it may be wrong (see ``extproc.body_parts``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from extproc.body_parts import Part, read_parts
from extproc.escaped_text import Apply, rewrite_structure, rewrite_text
from extproc.json_tree import MAX_DEPTH, BodyTooComplexError, Members, Number, children, dump

END_OF_STREAM = "[DONE]"  # the data of the last event of OpenAI's streams; it continues no text
StringPath = tuple[str | int, ...]
# Fields that tell to which output of a stream a piece belongs, for OpenAI (Responses), Anthropic and Bedrock.
_DISCRIMINATORS = ("type", "item_id", "index", "output_index", "content_index", "summary_index", "contentBlockIndex")


def rewrite_body(text: str, apply: Apply) -> str:
    """Return the body ``text`` with every string in it, including names, replaced by ``apply`` of the string.

    A whole number of seven or more digits that ``apply`` changes becomes 0. Raises BodyTooComplexError, and the errors
    of ``apply``.
    """
    parts = read_parts(text)
    rewrite_parts(parts, apply)
    return "".join(part.text for part in parts)


def rewrite_parts(parts: Sequence[Part], apply: Apply) -> None:
    """Rewrite the parts of one body in place."""
    _rewrite_joined_strings([part for part in parts if part.joins], apply)
    for part in parts:
        if part.value is not None:
            rewritten = rewrite_structure(part.text, part.value, apply)
            part.text = rewritten if rewritten is part.text else part.wrap(rewritten)
        elif part.joins:
            rewritten = rewrite_text(part.data, apply)
            part.text = part.text if rewritten == part.data else part.wrap(rewritten)
        else:
            part.text = rewrite_text(part.text, apply)


@dataclass(frozen=True, slots=True)
class _StringSlot:
    """The location of one string of a part: ``container[key]``, or the whole part if it is not JSON."""

    part: Part
    container: Any
    key: int

    @property
    def text(self) -> str:
        return self.part.data if self.container is None else str(self.container[self.key])

    def put(self, text: str) -> None:
        if self.container is None:
            self.part.data = text
            self.part.text = self.part.wrap(text)
        else:
            self.container[self.key] = text
            self.part.text = self.part.wrap(dump(self.part.value))


def _rewrite_joined_strings(parts: Sequence[Part], apply: Apply) -> None:
    """Rewrite the strings that have the same path in several parts: first within each output, then over all outputs."""
    if len(parts) < 2 and not any(_is_array(part.value) for part in parts):
        return
    done: set[tuple[int, ...]] = set()
    for path_of_object in (_discriminators, _nothing):
        slots_by_path: dict[StringPath, list[_StringSlot]] = {}
        for part in parts:
            _collect_part(part, path_of_object, slots_by_path)
        for slots in slots_by_path.values():
            joined = tuple(id(slot.container) ^ hash(slot.key) for slot in slots)
            if len(slots) > 1 and joined not in done:
                done.add(joined)
                _rewrite_joined(slots, apply)


def _rewrite_joined(slots: list[_StringSlot], apply: Apply) -> None:
    joined = "".join(slot.text for slot in slots)
    rewritten = rewrite_text(joined, apply)
    # If no match spans several strings, each string is rewritten on its own later (example: a name in every event).
    if rewritten == joined or rewritten == "".join(rewrite_text(slot.text, apply) for slot in slots):
        return
    slots[0].put(rewritten)
    for slot in slots[1:]:
        slot.put("")


def _discriminators(members: Members) -> StringPath:
    """Return the path elements that distinguish outputs, such as the choices or content blocks of an answer."""
    return tuple(f"{name}={value}" for name, value in members if name in _DISCRIMINATORS and isinstance(value, str))


def _nothing(_: Members) -> StringPath:
    """Return no path elements, so that all outputs count as one.

    This is needed because ``index`` may also be the number of the event, as in Text Generation Inference.
    """
    return ()


def _is_array(value: Any) -> bool:
    return isinstance(value, list) and not isinstance(value, Members)


def _collect_part(
    part: Part, path_of_object: Callable[[Members], StringPath], slots_by_path: dict[StringPath, list[_StringSlot]]
) -> None:
    """Add every string in a part to ``slots_by_path``. The elements of an array count as separate parts."""
    if part.value is None:
        if part.data.strip() == END_OF_STREAM:
            return
        slots_by_path.setdefault((), []).append(_StringSlot(part, None, 0))
        return
    roots = part.value if _is_array(part.value) else [part.value]
    stack: list[tuple[Any, StringPath]] = [(root, ()) for root in reversed(roots)]
    while stack:
        value, path = stack.pop()
        if len(path) > 4 * MAX_DEPTH:
            raise BodyTooComplexError
        if isinstance(value, Members):
            path = (*path, *path_of_object(value))
        inner_values = []
        for at, (name, inner) in enumerate(children(value)):
            container, key = (value[at], 1) if isinstance(value, Members) else (value, at)
            if isinstance(inner, str) and not isinstance(inner, Number):
                slots_by_path.setdefault((*path, name), []).append(_StringSlot(part, container, key))
            elif isinstance(inner, list):
                inner_values.append((inner, (*path, name)))
        stack.extend(reversed(inner_values))
