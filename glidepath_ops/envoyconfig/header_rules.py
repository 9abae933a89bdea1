"""Computes the effect of a user's header rules on request headers.

Envoy's API: ``request_headers_to_remove`` and ``request_headers_to_add`` of a route, a virtual host and a route
configuration. At each of these levels, Envoy removes before it adds.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from glidepath.errors import InputError
from glidepath_ops.envoyconfig.commented_yaml import Json

_APPEND, _SET = "APPEND_IF_EXISTS_OR_ADD", "OVERWRITE_IF_EXISTS_OR_ADD"
_DEFAULT, _REPLACE = "ADD_IF_ABSENT", "OVERWRITE_IF_EXISTS"
# Envoy's actions for the rules "set" and "add" of an HTTPRoute and of a VirtualService.
APPEND_ACTIONS = (("set", _SET), ("add", _APPEND))


@dataclass(frozen=True, slots=True)
class RoutedHeader:
    """The effect of a route on one request header.

    ``keeps``: whether the client's value stays.
    ``value``: the value that the route adds.
    ``if_absent``: whether it adds the value only if the client sent none.
    """

    keeps: bool
    value: str | None = None
    if_absent: bool = False


def header_added(name: object, value: object, action: str) -> Json:
    """Return an entry of ``request_headers_to_add`` (HeaderValueOption)."""
    return {"header": {"key": str(name), "value": str(value)}, "append_action": action}


def routed_headers(levels: Sequence[Json], names: Collection[str], place: str) -> dict[str, RoutedHeader]:
    """Return the effect of the rules of ``levels`` on the headers ``names``. Headers without a rule are left out.

    ``levels``: the route, the virtual host and the route configuration, in the order in which Envoy applies them.
    ``names``: in lower case.

    Raises InputError, with ``place``, for a value that is known only to Envoy.
    """
    found: dict[str, RoutedHeader] = {}
    for level in levels:
        for name in level.get("request_headers_to_remove") or []:
            if name.lower() in names:
                found[name.lower()] = RoutedHeader(keeps=False)
        for option in level.get("request_headers_to_add") or []:
            name = str((option.get("header") or {}).get("key", "")).lower()
            if name in names:
                found[name] = _added(found.get(name, RoutedHeader(keeps=True)), option, f"{place}: its rule for {name}")
    return {name: header for name, header in found.items() if header != RoutedHeader(keeps=True)}


def joined_rules(levels: Sequence[Json]) -> Json:
    """Return rules for one route that have the same effect on a request's headers as the rules of all ``levels``."""
    removed: list[str] = []
    added: list[Json] = []
    for level in levels:
        names = {str(name).lower() for name in level.get("request_headers_to_remove") or []}
        removed += level.get("request_headers_to_remove") or []
        added = [one for one in added if str(one["header"]["key"]).lower() not in names]
        added += level.get("request_headers_to_add") or []
    return {"request_headers_to_remove": list(dict.fromkeys(removed)), "request_headers_to_add": added}


def _added(before: RoutedHeader, option: Json, rule: str) -> RoutedHeader:
    value = _value(option["header"], rule)
    action = _action(option)
    if not value and str(option.get("keep_empty_value")).lower() != "true":
        return before
    if action == _SET:
        return RoutedHeader(keeps=False, value=value)
    if action == _DEFAULT:
        return before if before.value is not None else RoutedHeader(before.keeps, value, if_absent=before.keeps)
    if action == _REPLACE and not before.keeps:
        return before if before.value is None else RoutedHeader(keeps=False, value=value)
    if action == _APPEND and before.value is None:
        return RoutedHeader(before.keeps, value)
    raise InputError(
        f"{rule} depends on another rule, so a request that failed at the candidate cannot get it again; write one "
        f"rule with append_action: {_SET}, or set fallback: false"
    )


def _action(option: Json) -> str:
    if "append" in option:  # deprecated; Envoy still reads it
        return _APPEND if str(option["append"]).lower() == "true" else _SET
    return str(option.get("append_action", _APPEND))


def _value(header: Json, rule: str) -> str:
    value = str(header.get("value", ""))
    if "raw_value" in header or "%" in value.replace("%%", ""):
        raise InputError(
            f"{rule} has a value that only Envoy knows, so a request that failed at the candidate cannot get it again; "
            "write the value itself (a secret: by the filter credential_injector), or set fallback: false"
        )
    return re.sub("%%", "%", value)
