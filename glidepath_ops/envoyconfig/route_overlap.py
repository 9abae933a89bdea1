"""Decides which of a user's routes match requests of a workload.

A route's conditions are a RouteMatch of Envoy's API. The requests of a workload have the method POST.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any

import regex

from glidepath.config.request_match import Match
from glidepath_ops.envoyconfig.commented_yaml import Json

METHOD = "POST"
_NOT_PYTHON = regex.compile(r"\\[QCz]|\(\?\w*U")  # RE2 reads these differently from Python
_REGEX_TIME = 1.0  # seconds
_LITERAL = regex.compile(r"[A-Za-z0-9_/,:=@~-]*")
PATHS = ("path", "prefix", "path_separated_prefix", "safe_regex", "path_match_policy", "connect_matcher")


class Overlap(IntEnum):
    """The part of a workload's requests that a route matches: none, possibly some of them, or all."""

    NONE = 0
    SOME = 1
    ALL = 2


def overlap(match: Json, rule: Match) -> Overlap:
    """Return whether no, some or all requests that meet the conditions ``rule`` match the RouteMatch ``match``."""
    others = [Overlap.SOME for key in match if key not in (*PATHS, "case_sensitive", "headers")]
    known = {":method": METHOD, **{name.lower(): value for name, value in rule.headers.items()}}
    headers = [_header(one, known) for one in match.get("headers") or []]
    return min([_path(match, rule), *headers, *others])


def is_false(value: Any) -> bool:
    """Return whether a value of Envoy's YAML is false, as data or as the text of a plain scalar."""
    return value is False or str(value).lower() == "false"


def _path(match: Json, rule: Match) -> Overlap:
    fold = str.lower if is_false(match.get("case_sensitive")) else str
    for kind, decide in _DECIDED.items():
        if kind in match:
            exact = rule.path is not None
            ours = fold(rule.path or (rule.path_prefix or "").rstrip("/"))
            return decide(fold(str(match[kind])), ours, exact)
    if "safe_regex" in match:
        return _regex(str(match["safe_regex"].get("regex", "")), rule)
    if "path_match_policy" in match:
        template = str((match["path_match_policy"].get("typed_config") or {}).get("path_template", ""))
        return _by_start(regex.split(r"[{*]", template)[0], rule)
    return Overlap.NONE if "connect_matcher" in match else Overlap.SOME


def _by_path(theirs: str, ours: str, exact: bool) -> Overlap:
    if exact:
        return Overlap.ALL if theirs == ours else Overlap.NONE
    return Overlap.SOME if _below(theirs, ours) else Overlap.NONE


def _by_prefix(theirs: str, ours: str, exact: bool) -> Overlap:
    if (ours or "/").startswith(theirs) or (not exact and theirs == f"{ours}/"):  # no API has requests to /v1 itself
        return Overlap.ALL
    return Overlap.SOME if not exact and _below(theirs, ours) else Overlap.NONE


def _by_separated_prefix(theirs: str, ours: str, exact: bool) -> Overlap:
    if _below(ours, theirs):
        return Overlap.ALL
    return Overlap.SOME if not exact and _below(theirs, ours) else Overlap.NONE


_DECIDED: Mapping[str, Callable[[str, str, bool], Overlap]] = {
    "path": _by_path,
    "prefix": _by_prefix,
    "path_separated_prefix": _by_separated_prefix,
}


def _below(path: str, prefix: str) -> bool:
    """Return whether ``path`` is ``prefix`` or continues it after a slash. The empty prefix stands for all paths."""
    return path == prefix or path.startswith(prefix + "/")


def _regex(pattern: str, rule: Match) -> Overlap:
    if rule.path is None:
        start = _LITERAL.match(pattern.removeprefix("^"))
        literal = start[0] if start and "|" not in pattern else ""
        return _by_start(literal[:-1], rule)  # the last character may be optional
    matches = regex_matches(pattern, rule.path)
    return Overlap.SOME if matches is None else Overlap.ALL if matches else Overlap.NONE


def regex_matches(pattern: str, text: str) -> bool | None:
    """Return whether an RE2 expression of Envoy matches the whole ``text``, or None if this is unknown."""
    if _NOT_PYTHON.search(pattern):
        return None
    try:
        return bool(regex.fullmatch(pattern, text, flags=regex.ASCII, timeout=_REGEX_TIME))
    except (regex.error, TimeoutError):
        return None


def _by_start(literal: str, rule: Match) -> Overlap:
    """Return SOME if a path that starts with ``literal`` can be one of the workload's, else NONE."""
    ours = rule.path or (rule.path_prefix or "").rstrip("/")
    return (
        Overlap.SOME if ours.startswith(literal) or (rule.path is None and literal.startswith(ours)) else Overlap.NONE
    )


def _header(condition: Json, known: Mapping[str, str]) -> Overlap:
    """Return whether none, some or all of the workload's requests meet a HeaderMatcher.

    ``known``: the headers that all of these requests have.
    """
    value = known.get(str(condition.get("name", "")).lower())
    met = None if value is None else _meets(condition, value)
    if met is None:
        return Overlap.SOME
    inverted = not is_false(condition.get("invert_match", False))
    return Overlap.ALL if met != inverted else Overlap.NONE


def _meets(condition: Json, value: str) -> bool | None:
    test: Json = dict(condition.get("string_match") or {})
    for kind in ("exact", "prefix", "suffix", "contains", "safe_regex"):  # deprecated; Envoy still reads them
        if f"{kind}_match" in condition:
            test[kind] = condition[f"{kind}_match"]
    if "range_match" in condition or "custom" in test:
        return None
    if "present_match" in condition:
        return not is_false(condition["present_match"])
    if "safe_regex" in test:
        return regex_matches(str(test["safe_regex"].get("regex", "")), value)
    fold = str if is_false(test.get("ignore_case", False)) else str.lower
    return all(decide(fold(value), fold(str(test[kind]))) for kind, decide in _TESTS.items() if kind in test)


_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "exact": lambda value, wanted: value == wanted,
    "prefix": lambda value, wanted: value.startswith(wanted),
    "suffix": lambda value, wanted: value.endswith(wanted),
    "contains": lambda value, wanted: wanted in value,
}
