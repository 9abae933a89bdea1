"""Parses Envoy messages by the rules of envoy-data-plane, but parses equal typed messages only once.

A rendered configuration repeats its typed messages for every route: with 400 workloads, the formatters of the access
log have 340,000 values, but only 536 different ones. The package alone would parse every one, and encode it again for
each message that contains it. Routes repeat in the same way. Messages that differ only in names and other free text
count as equal, because any text is valid there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from glidepath_ops.envoyconfig.commented_yaml import NOTE

_TYPED_STRUCTS = tuple(f"type.googleapis.com/{kind}.TypedStruct" for kind in ("udpa.type.v1", "xds.type.v3"))
_EMPTY = {"@type": "type.googleapis.com/google.protobuf.Empty"}
# Fields that are plain text in every message of Envoy's API that has them.
_FREE_TEXT = frozenset(
    {"cluster", "exact", "host_rewrite_literal", "name", "path", "prefix", "runtime_key", "runtime_key_prefix"}
    | {"stat_prefix"}
)
_LONG_LIST = 20  # entries; a shorter list is parsed whole

# Fields of OutlierDetection that the package confuses with consecutive_5_xx and then rejects.
_MISREAD = frozenset({"consecutive_5xx", "enforcing_consecutive_5xx"})

_PAIR = frozenset({"key", "value"})


def unwrapped(value: dict[str, Any]) -> dict[str, Any]:
    """Return the typed message that a TypedStruct contains. Return any other ``value`` unchanged.

    Envoy reads ``value`` of a TypedStruct as a message of the type ``type_url`` (xds.type.v3.TypedStruct). Raises
    KeyError if the TypedStruct has another field.
    """
    if value.get("@type") not in _TYPED_STRUCTS:
        return value
    if unknown := value.keys() - {"@type", "type_url", "typeUrl", "value"}:
        raise KeyError(f"TypedStruct has no field {sorted(map(str, unknown))[0]!r}")
    inside = value.get("value") or {}
    return {**inside, "@type": value.get("type_url", value.get("typeUrl"))}


class StrictParser:
    """Parses messages, and remembers which typed messages it has parsed.

    ``register`` is called with each ``@type`` before a message of this type is parsed.
    """

    def __init__(self, register: Callable[[str], None] = lambda _: None) -> None:
        self.parsed: set[str] = set()  # the text of each, without free text
        self._register, self._types = register, set[str]()

    def parse(self, message: Any, data: Any) -> None:
        """Parse ``data`` as a ``message``, a class of envoy-data-plane.

        Raises the package's errors (TypeError, ValueError, KeyError, AttributeError) for data that are not in Envoy's
        API, and the errors of ``register``.
        """
        message.from_dict(self._with_parsed_parts(data))

    def _with_parsed_parts(self, value: Any) -> Any:
        """Return ``value`` without comments, and with an empty message in place of each typed message.

        The typed messages are parsed by themselves.
        """
        if isinstance(value, list):
            parts = [self._with_parsed_parts(one) if isinstance(one, dict | list) else one for one in value]
            long = len(parts) >= _LONG_LIST and all(isinstance(part, dict) for part in parts)
            return _different(parts) if long else parts
        if not isinstance(value, dict):
            return value
        value = {key: child for key, child in unwrapped(value).items() if key not in _MISREAD}
        rest = {
            key: self._with_parsed_parts(child) if isinstance(child, dict | list) else child
            for key, child in value.items()
            if key != NOTE
        }
        kind = value.get("@type")
        if not isinstance(kind, str):
            return rest
        if kind not in self._types:
            self._register(kind)
            self._types.add(kind)
        known = _form(rest)
        if known not in self.parsed:
            _parse_typed(rest)
            self.parsed.add(known)
        return _EMPTY


def _different(parts: list[Any]) -> list[Any]:
    """Return the entries of a list without repetitions. Entries that differ only in free text count as repetitions."""
    return list({_form(part): part for part in reversed(parts)}.values())


def _form(value: Any) -> str:
    """Return a text that is the same for values that differ only in free text."""
    return json.dumps(_without_free_text(value), sort_keys=True, default=str)


def _without_free_text(value: Any) -> Any:
    """Return ``value`` with an empty text in place of each name, each header value, and each value in metadata."""
    if isinstance(value, list):
        return [_without_free_text(one) if isinstance(one, dict | list) else one for one in value]
    if not isinstance(value, dict):
        return value
    free = _PAIR if value.keys() == _PAIR else _FREE_TEXT
    return {key: _form_of_field(key, child, free) for key, child in value.items()}


def _form_of_field(key: str, value: Any, free: frozenset[str]) -> Any:
    if isinstance(value, str):
        return "" if key in free else value
    if key == "filter_metadata" and _has_objects(value):
        return list(value)
    return _without_free_text(value) if isinstance(value, dict | list) else value


def _has_objects(value: Any) -> bool:
    """Return whether metadata have an object for each filter. The content of the object is not checked."""
    return isinstance(value, dict) and all(isinstance(one, dict) for one in value.values())


def _parse_typed(typed: dict[str, Any]) -> None:
    """Parse a typed message, as ``Any.from_dict`` of the package does, but do not encode it."""
    from betterproto2 import Message  # imported here, as the package is: it takes 0.5 s
    from envoy_data_plane.message_pool import default_message_pool

    data = dict(typed)
    kind = default_message_pool.url_to_type.get(data.pop("@type"))
    if kind is None:
        raise TypeError(f"Can't unpack unregistered type: {typed['@type']}")
    kind.from_dict(data if kind.to_dict is Message.to_dict else data["value"])
