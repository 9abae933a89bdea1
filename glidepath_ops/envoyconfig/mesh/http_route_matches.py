"""Narrows the match conditions of an HTTPRoute (Gateway API v1) to the requests of one workload."""

from __future__ import annotations

from typing import Any

from glidepath.config.request_match import Match
from glidepath.errors import InputError
from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.envoyconfig.route_overlap import METHOD, regex_matches

_KNOWN = {"path", "headers", "queryParams", "method"}
_KINDS = {"Exact": 2, "RegularExpression": 1, "PathPrefix": 0}

Precedence = tuple[int, ...]


def narrowed(match: Json, rule: Match, place: str) -> Json | None:
    """Return ``match`` restricted to a workload's requests, or None if no request can meet both conditions.

    Raises InputError, which shows ``place``, for conditions that cannot be combined.
    """
    if unknown := match.keys() - _KNOWN:
        raise InputError(f"{place}: the condition {min(unknown)} of this match is not known")
    path, headers = _path(match, rule, place), _headers(match.get("headers") or [], rule, place)
    if path is None or headers is None or match.get("method", METHOD) != METHOD:
        return None
    found: Json = {"path": path, "method": METHOD}
    if headers:
        found["headers"] = headers
    if match.get("queryParams"):
        found["queryParams"] = match["queryParams"]
    return found


def covers(match: Json, rule: Match) -> bool:
    """Return whether every request of the workload meets ``match``. The two must have requests in common."""
    ours = {name.lower() for name in rule.headers}
    others = [one for one in match.get("headers") or [] if str(one["name"]).lower() not in ours]
    return not others and not match.get("queryParams") and (rule.path is not None or _covers_prefix(match, rule))


def precedence(match: Json) -> Precedence:
    """Return a sort key. Envoy Gateway puts matches with larger keys first (its ``XdsIRRoutes``).

    The method counts as a header.
    """
    kind, value = path_of(match)
    headers, queries = match.get("headers") or [], match.get("queryParams") or []
    method = 1 if "method" in match else 0
    exact = [_exact(one) for one in headers]
    queried = [_exact(one) for one in queries]
    return (_KINDS.get(kind, 0), len(value), len(headers) + method, sum(exact) + method, len(queries), sum(queried))


def same(match: Json, other: Json) -> bool:
    """Return whether two matches have the same conditions."""
    return bool(_normal(match) == _normal(other))


def path_of(match: Json) -> tuple[str, str]:
    """Return the kind and the value of a match's path. Without a path, it is the prefix ``/``."""
    path = match.get("path") or {}
    return str(path.get("type", "PathPrefix")), str(path.get("value", "/"))


def _normal(match: Json) -> Any:
    conditions = [
        sorted(
            (str(one["name"]).lower(), str(one.get("type", "Exact")), str(one["value"])) for one in match.get(key) or []
        )
        for key in ("headers", "queryParams")
    ]
    return path_of(match), str(match.get("method")), conditions


def _exact(condition: Json) -> int:
    return 1 if str(condition.get("type", "Exact")) == "Exact" else 0


def _path(match: Json, rule: Match, place: str) -> Json | None:
    kind, value = path_of(match)
    if rule.path is not None:
        return {"type": "Exact", "value": rule.path} if _serves(kind, value, rule.path, place) else None
    prefix = (rule.path_prefix or "/").rstrip("/")
    if kind == "RegularExpression":
        raise InputError(
            f"{place}: it is not known whether the path {value!r} matches requests below {prefix or '/'}; give the "
            "workload a path instead of path_prefix"
        )
    if kind == "PathPrefix" and _below(prefix, value.rstrip("/")):
        return {"type": "PathPrefix", "value": prefix or "/"}
    return {"type": kind, "value": value} if _below(value, prefix) else None


def _serves(kind: str, value: str, path: str, place: str) -> bool:
    if kind == "Exact":
        return value == path
    if kind == "PathPrefix":
        return _below(path, value.rstrip("/"))
    return _matches(value, path, place)


def _matches(pattern: str, text: str, place: str) -> bool:
    found = regex_matches(pattern, text)
    if found is None:
        raise InputError(
            f"{place}: the regular expression {pattern!r} cannot be evaluated here; write it without features that "
            "only RE2 has, or use Exact or PathPrefix"
        )
    return found


def _covers_prefix(match: Json, rule: Match) -> bool:
    kind, value = path_of(match)
    return kind == "PathPrefix" and _below((rule.path_prefix or "/").rstrip("/"), value.rstrip("/"))


def _below(path: str, prefix: str) -> bool:
    """Return whether ``path`` equals ``prefix`` or is below it. ``prefix`` has no slash at its end."""
    return path == prefix or path.startswith(prefix + "/")


def _headers(theirs: list[Json], rule: Match, place: str) -> list[Json] | None:
    ours = {name.lower(): value for name, value in rule.headers.items()}
    kept = []
    for one in theirs:
        name = str(one["name"]).lower()
        if name not in ours:
            kept.append(one)
        elif not _agrees(one, ours[name], place):
            return None
    return kept + [{"type": "Exact", "name": name, "value": value} for name, value in ours.items()]


def _agrees(condition: Json, value: str, place: str) -> bool:
    if _exact(condition):
        return str(condition["value"]) == value
    return _matches(str(condition["value"]), value, place)
