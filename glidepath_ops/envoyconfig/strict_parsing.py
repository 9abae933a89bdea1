"""Parse Envoy messages by the rules of envoy-data-plane, each different typed message once.

A rendered configuration repeats its typed messages for every route: of the 340,000 values in the formatters of the
access log of 400 workloads, 536 differ. The package would parse each of them, and encode it for each message around it.
"""

from __future__ import annotations

import json
from typing import Any

from glidepath_ops.envoyconfig.commented_yaml import NOTE

_TYPED_STRUCTS = tuple(f"type.googleapis.com/{kind}.TypedStruct" for kind in ("udpa.type.v1", "xds.type.v3"))
_EMPTY = {"@type": "type.googleapis.com/google.protobuf.Empty"}


def unwrapped(value: dict[str, Any]) -> dict[str, Any]:
    """Return the typed message that a TypedStruct contains, or any other ``value`` as it is.

    Envoy reads ``value`` of a TypedStruct as a message of the type ``type_url`` (xds.type.v3.TypedStruct). Raises
    KeyError for another field.
    """
    if value.get("@type") not in _TYPED_STRUCTS:
        return value
    if unknown := value.keys() - {"@type", "type_url", "typeUrl", "value"}:
        raise KeyError(f"TypedStruct has no field {sorted(map(str, unknown))[0]!r}")
    inside = value.get("value") or {}
    return {**inside, "@type": value.get("type_url", value.get("typeUrl"))}


class StrictParser:
    """Parses messages, and remembers which typed messages it has parsed."""

    def __init__(self) -> None:
        self.parsed: set[str] = set()  # the text of each

    def parse(self, message: Any, data: Any) -> None:
        """Parse ``data`` as a ``message``, a class of envoy-data-plane whose typed messages have been imported.

        Raises the package's errors (TypeError, ValueError, KeyError, AttributeError) for what is not in Envoy's API.
        """
        message.from_dict(self._with_parsed_parts(data))

    def _with_parsed_parts(self, value: Any) -> Any:
        """Return ``value`` without comments, and with an empty message in place of each typed message.

        The typed messages are parsed by themselves.
        """
        if isinstance(value, list):
            return [self._with_parsed_parts(child) for child in value]
        if not isinstance(value, dict):
            return value
        value = unwrapped(value)
        rest = {key: self._with_parsed_parts(child) for key, child in value.items() if key != NOTE}
        if not isinstance(value.get("@type"), str):
            return rest
        known = json.dumps(rest, sort_keys=True, default=str)
        if known not in self.parsed:
            _parse_typed(rest)
            self.parsed.add(known)
        return _EMPTY


def _parse_typed(typed: dict[str, Any]) -> None:
    """Parse a typed message, as ``Any.from_dict`` of the package does, but do not encode it."""
    from betterproto2 import Message  # imported here, as the package is: it takes 0.5 s
    from envoy_data_plane.message_pool import default_message_pool

    data = dict(typed)
    kind = default_message_pool.url_to_type.get(data.pop("@type"))
    if kind is None:
        raise TypeError(f"Can't unpack unregistered type: {typed['@type']}")
    kind.from_dict(data if kind.to_dict is Message.to_dict else data["value"])
