"""Builds Envoy's conditions on the method and the path of a request (HeaderMatcher, regular expressions of RE2)."""

from __future__ import annotations

import re

from glidepath.call_classes import INFERENCE_PATHS, NOT_INFERENCE
from glidepath.config.request_match import Match
from glidepath.config.workload import Workload
from glidepath_ops.envoyconfig.commented_yaml import Json

# The backend answers TRACE with the request that it received, credential included, and CONNECT asks for a tunnel
# (RFC 9110, 9.3.6 and 9.3.8). TRACK is Microsoft's TRACE. HTTP/2 lets a client write a method in lower case.
REFUSED_METHODS = "(?i)(trace|track|connect)"

# Parts of a path that a backend may read differently: a double slash, a backslash, an escaped dot or backslash, or
# a dot segment (RFC 3986, 5.2.4), also where an escaped slash ends it, or a parameter (3.3; some servers read "/..;x"
# as "/.."). Clients escape other slashes on purpose, such as those in the ARN of a model. The query is not part of the
# path.
_READ_IN_SEVERAL_WAYS = r"(?i)[^?]*((/|%2f){2}.*|(\\|%2e|%5c).*|(/|%2f)\.\.?((/|%2f|;|%3b|\?).*)?)"


def path_header(rule: Match) -> Json:
    """Return the HeaderMatcher that matches only the paths of a workload, with or without a query."""
    return _path_matches(_paths_of(rule))


def path_headers_of_copies(workload: Workload) -> list[Json]:
    """Return the HeaderMatchers that match the paths of a workload's copies and probes: one, or none for all paths.

    A probe may have a path outside ``match``.
    """
    if workload.match.path_prefix == "/":
        return []
    probes = workload.probes.path if workload.probes is not None else None
    if probes is None:
        return [path_header(workload.match)]
    return [_path_matches(f"{_paths_of(workload.match)}|{_exact(probes.partition('?')[0])}")]


def clear_path_headers(rule: Match) -> list[Json]:
    """Return the HeaderMatchers that exclude ambiguous paths, which a backend may read differently.

    Such paths are left to the user's own route. The user's connection manager may not normalise paths, and
    Glidepath's own does not handle parameters of a dot segment. A workload with an exact path needs no such matcher.
    """
    if rule.path is not None:
        return []
    return [{**_path_matches(_READ_IN_SEVERAL_WAYS), "invert_match": True}]


def inference_path_headers(rule: Match) -> list[Json]:
    """Return the HeaderMatchers that exclude all but inference calls below a path prefix.

    The baseline serves the excluded calls.

    A workload with an exact path needs none: all POSTs to it are inference.
    """
    return [] if rule.path is not None else any_inference_path()


def any_inference_path() -> list[Json]:
    """Return the HeaderMatchers that match exactly the paths of inference calls (``glidepath/call_classes.py``)."""
    return [_path_matches(INFERENCE_PATHS), {**_path_matches(NOT_INFERENCE), "invert_match": True}]


def method_header(pattern: str, *, inverted: bool = False) -> Json:
    """Return a HeaderMatcher for the methods that match the whole ``pattern`` or, if ``inverted``, for all others."""
    header: Json = {"name": ":method", "string_match": {"safe_regex": {"regex": pattern}}}
    return {**header, "invert_match": True} if inverted else header


def _path_matches(pattern: str) -> Json:
    return {"name": ":path", "string_match": {"safe_regex": {"regex": pattern}}}


def _paths_of(rule: Match) -> str:
    if rule.path is not None:
        return _exact(rule.path)
    return _literal((rule.path_prefix or "").rstrip("/")) + r"([/?].*)?"


def _exact(path: str) -> str:
    return _literal(path) + r"(\?.*)?"


def _literal(text: str) -> str:
    return re.sub(r"[.+*?()|\[\]{}^$\\]", r"\\\g<0>", text)
