"""Narrows the match conditions of a VirtualService's HTTP route to the requests of one workload.

The semantics are those of Istio's ``TranslateRouteMatch``: ``prefix`` compares characters, ``regex`` matches the whole
value, and a condition ``{}`` on a header asks only for its presence. The path is compared without its query.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from glidepath.config.request_match import Match
from glidepath.errors import InputError
from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.envoyconfig.route_conditions import authority_pattern
from glidepath_ops.envoyconfig.route_overlap import METHOD

_NO_CONDITIONS = ("uri", "method", "authority", "headers", "name", "statPrefix", "ignoreUriCase")
_OTHER_SYNTAX = re.compile(r"\[\[:|\\[pPzQC]")  # regular expressions that Istio (RE2) and Python read differently


@dataclass(frozen=True, slots=True)
class NarrowMatch:
    """The conditions of the user's route together with those of the workload.

    ``replaced``: the end of the path in the copy's match that the user's match does not have. Istio's rewrite replaces
    the whole path that the match names. So this text must be appended to the rewrite in the copy, or it would be lost.
    """

    conditions: Json
    replaced: str = ""


def narrowed(match: Json, rule: Match, place: str) -> list[NarrowMatch]:
    """Return the user's ``match`` restricted to a workload's requests, or [] if no request can meet both conditions.

    Raises InputError, with ``place``, for conditions that cannot be combined with those of the workload.
    """
    fixed = _fixed(match, rule, place)
    if fixed is None:
        return []
    kept = {key: value for key, value in match.items() if key not in _NO_CONDITIONS or key == "statPrefix"}
    return [NarrowMatch({"uri": uri, **fixed, **kept}, replaced) for uri, replaced in _paths(match, rule, place)]


def covers(match: Json, rule: Match, place: str) -> bool:
    """Return whether each request of the workload meets the user's ``match``.

    For a workload with ``path_prefix: /v1``, requests to /v1 itself do not count, because such an API has no calls
    there.
    """
    if match.keys() - set(_NO_CONDITIONS) or not narrowed(match, rule, place):
        return False
    own_headers = {name.lower() for name in rule.headers}
    if "authority" in match or any(name.lower() not in own_headers for name in match.get("headers", {})):
        return False
    return rule.path is not None or _covers_prefix(match.get("uri", {}), _base(rule))


def _covers_prefix(uri: Json, base: str) -> bool:
    """Return whether the path condition admits all paths below ``base``, not counting ``base`` itself."""
    return not uri or f"{base}/".startswith(uri.get("prefix", "/\0"))


def _base(rule: Match) -> str:
    return (rule.path_prefix or "").rstrip("/")


def _fixed(match: Json, rule: Match, place: str) -> Json | None:
    """Return the conditions on method, host and headers, or None if no request can meet both sets of conditions."""
    if "method" in match and not _admits(match["method"], METHOD, place):
        return None
    authority = _authority(match.get("authority"), rule, place)
    if authority is None:
        return None
    found: Json = {"method": {"exact": METHOD}, **authority}
    headers = _headers(match, {name.lower(): value for name, value in rule.headers.items()}, place)
    if headers is None:
        return None
    return {**found, "headers": headers} if headers else found


def _authority(condition: Json | None, rule: Match, place: str) -> Json | None:
    """Return the condition with the key ``authority``, {} without one, or None if no host can meet both conditions."""
    if rule.host is None:
        return {} if condition is None else {"authority": condition}
    pattern = authority_pattern(rule.host)
    if condition is None:
        return {"authority": {"regex": pattern}}
    if "exact" not in condition:
        raise InputError(
            f"{place}: its authority condition cannot be combined with the workload's match.host; remove match.host "
            "from the workload, because the route already chooses the host"
        )
    return {"authority": condition} if re.fullmatch(pattern, condition["exact"]) else None


def _headers(match: Json, own: Mapping[str, str], place: str) -> Json | None:
    found = {name.lower(): condition for name, condition in match.get("headers", {}).items()}
    without = {name.lower(): condition for name, condition in match.get("withoutHeaders", {}).items()}
    for name, value in own.items():
        if name in found and not _admits(found[name], value, place):
            return None
        if name in without and _admits(without[name], value, place):
            return None
        found[name] = {"exact": value}
    return found


def _paths(match: Json, rule: Match, place: str) -> list[tuple[Json, str]]:
    """Return the path conditions of the requests that meet both the user's ``match`` and the workload's ``rule``.

    Each comes with the text that must be appended to a rewrite (``NarrowMatch.replaced``). [] if no path can meet both.
    """
    uri, folded = match.get("uri") or {"prefix": "/"}, str(match.get("ignoreUriCase")).lower() == "true"
    if rule.path is not None:
        return _one_path(uri, rule.path, folded, place)
    base = _base(rule)
    if "regex" in uri:
        raise InputError(
            f"{place}: its regular expression for the path cannot be combined with the workload's match.path_prefix; "
            "give the workload a match.path"
        )
    below: list[tuple[Json, str]] = [] if not base else _one_path(uri, base, folded, place)
    return below + _prefixes(uri, base + "/", folded)


def _one_path(uri: Json, path: str, folded: bool, place: str) -> list[tuple[Json, str]]:
    if not _admits(uri, path, place, folded=folded):
        return []
    return [({"exact": path}, path[len(uri["prefix"]) :] if "prefix" in uri else "")]


def _prefixes(uri: Json, base: str, folded: bool) -> list[tuple[Json, str]]:
    fold = str.lower if folded else str
    if "exact" in uri:
        return [(uri, "")] if fold(uri["exact"]).startswith(fold(base)) and not folded else []
    theirs = uri["prefix"]
    if fold(base).startswith(fold(theirs)):
        return [({"prefix": base}, base[len(theirs) :])]
    return [(uri, "")] if theirs.startswith(base) else []


def _admits(condition: Json, value: str, place: str, *, folded: bool = False) -> bool:
    """Return whether ``value`` meets a StringMatch."""
    fold = str.lower if folded else str
    if "exact" in condition:
        return fold(condition["exact"]) == fold(value)
    if "prefix" in condition:
        return fold(value).startswith(fold(condition["prefix"]))
    if "regex" in condition:
        return _expression(condition["regex"], place).fullmatch(value) is not None
    return True


def _expression(text: str, place: str) -> re.Pattern[str]:
    try:
        if not _OTHER_SYNTAX.search(text):
            return re.compile(text)
    except re.error:
        pass
    raise InputError(f"{place}: the regular expression {text!r} cannot be evaluated here; use exact or prefix")
